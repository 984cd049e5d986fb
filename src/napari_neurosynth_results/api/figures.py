"""Figures of clusters and comparisons, drawn and saved in one call."""

from __future__ import annotations

import os
from typing import Any, Literal

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export import figures
from napari_neurosynth_results.job import Progress
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.comparison import Comparison
from napari_neurosynth_results.statistics.comparison.matrix import Matrix

FigureKind = Literal["lightbox", "ortho", "glass", "matrix"]

_OF_CLUSTERS = {
    "lightbox": figures.lightbox_figure,
    "ortho": figures.ortho_figure,
    "glass": figures.glass_figure,
}
_CLUSTER_KINDS = "lightbox, ortho or glass"


def save_figure(
    what: ClusterSet | Comparison | Matrix,
    path: str | os.PathLike[str],
    *,
    kind: FigureKind = "lightbox",
    dpi: float = 300,
    background: figures.Background = "black",
    progress: Progress | None = None,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Draw clusters or a comparison, and write the figure to a file.

    Figures need matplotlib, which comes with the extra ``figures``.

    Parameters
    ----------
    what : ClusterSet, Comparison or Matrix
        What to draw. A comparison is a lightbox of where its maps agree; a matrix is
        itself, whatever the kind.
    path : path
        ``.png``, ``.pdf`` or ``.svg``.
    kind : {"lightbox", "ortho", "glass", "matrix"}
        Of clusters: slices in rows, three planes through a place, or projections.
    dpi : float
        Pixels an inch.
    background : {"black", "white"}
        As in viewers, or for print.
    progress : callable, optional
        Called as ``progress(what, done, total)``; what it raises stops the figure.
    overwrite : bool
        Replace a file that exists.
    **options
        Of the kind: ``width_mm``; ``side`` ("neurological" or "radiological"); of a
        lightbox ``plane``, ``places`` in mm and ``columns``; ``place`` of ortho;
        ``measure`` of a matrix.

    Raises
    ------
    ResultsError
        Without matplotlib, when nothing of this kind can be drawn, when the file exists
        or cannot be written; the text says what to do.

    Examples
    --------
    >>> import os, tempfile
    >>> import napari_neurosynth_results as nnr
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> results = nnr.open_results(sample_folder())
    >>> clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=10)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "figure.png")
    ...     nnr.save_figure(clusters, path, places=[-6, 4, 16], dpi=100)
    ...     sorted(os.listdir(folder))
    ['figure.png']
    """
    target = figures.check_target(path, dpi, overwrite=overwrite)
    draw: Any
    if isinstance(what, Matrix):
        draw = figures.matrix_figure
    elif isinstance(what, Comparison):
        draw = figures.comparison_figure if kind == "lightbox" else None
    elif isinstance(what, ClusterSet):
        draw = _OF_CLUSTERS.get(kind)
    else:
        raise ResultsError(
            "A figure shows clusters, a comparison or a matrix: find_clusters, "
            "compare_maps and compare_many make them."
        )
    if draw is None:
        known = "lightbox" if isinstance(what, Comparison) else _CLUSTER_KINDS
        raise ResultsError(f"kind must be {known}, not {kind}.")
    hear = progress or (lambda *_: None)
    hear("Figure", 0, 2)
    figure = draw(what, background=background, **options)
    hear("Figure", 1, 2)
    figures.write_figure(figure, target, dpi=dpi, overwrite=overwrite)
