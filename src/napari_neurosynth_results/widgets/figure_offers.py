"""Which figures can be drawn of what is shown: the lines of a menu."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_neurosynth_results.api.figures import Kind
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.comparison import Comparison
from napari_neurosynth_results.statistics.comparison.matrix import Matrix

if TYPE_CHECKING:
    from napari.viewer import Viewer


@dataclass(frozen=True)
class Offer:
    """A figure that can be drawn now.

    Attributes
    ----------
    text : str
        What the menu calls it.
    what : ClusterSet, Comparison or Matrix
        What it shows.
    kind : str
        As `save_figure` takes it.
    name : str
        Of the file, without an extension.
    options : mapping
        More of what `save_figure` takes.
    """

    text: str
    what: ClusterSet | Comparison | Matrix
    kind: Kind
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


def cluster_figures(clusters: ClusterSet | None, viewer: Viewer) -> list[Offer]:
    """List the figures of clusters.

    Parameters
    ----------
    clusters : ClusterSet or None
        Those that are shown, if any are.
    viewer : Viewer
        Whose place is one to cut through.

    Returns
    -------
    list of Offer
        Empty without clusters.
    """
    if clusters is None:
        return []
    make = partial(Offer, what=clusters, name=clusters.statmap.key)
    here = {"place": tuple(viewer.dims.point[:-4:-1])}
    return [
        *(
            make(f"Slices, {plane}", kind="lightbox", options={"plane": plane})
            for plane in ("axial", "coronal", "sagittal")
        ),
        make("Three planes, strongest peak", kind="ortho"),
        make("Three planes, this place", kind="ortho", options=here),
        make("Glass brain", kind="glass"),
    ]


def comparison_figures(
    comparison: Comparison | None, matrix: Matrix | None
) -> list[Offer]:
    """List the figures of a comparison.

    Parameters
    ----------
    comparison : Comparison or None
        Of the first two maps.
    matrix : Matrix or None
        Of all.

    Returns
    -------
    list of Offer
        Empty where nothing is compared.
    """
    made = []
    if comparison is not None:
        for plane in ("axial", "coronal", "sagittal"):
            options = {"plane": plane}
            text = f"Agreement, {plane} slices"
            made.append(Offer(text, comparison, "lightbox", "comparison", options))
    if matrix is not None:
        for measure in ("dice", "jaccard", "r", "rho"):
            options = {"measure": measure}
            made.append(
                Offer(f"Matrix, {measure}", matrix, "matrix", "comparison", options)
            )
    return made
