"""What lies at a place: its region, every shown map's value and p, and its cluster.

Each map is asked by millimeter through its own affine, never through the voxels of
another map. What a layer holds is taken from the layer: a readout that follows the
mouse may not read files again and again.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.atlas import with_distance
from napari_neurosynth_results.anatomy.coordinates import Coordinate
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid, Voxel
from napari_neurosynth_results.maps.statmap import Mask, StatMap, values_inside
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.effects import (
    Effects,
    find_effects,
    tell_effect,
)
from napari_neurosynth_results.statistics.p_values.directions import Direction
from napari_neurosynth_results.statistics.p_values.significance import (
    OWN_EVIDENCE,
    Evidence,
    PSource,
    find_test,
)
from napari_neurosynth_results.statistics.p_values.voxel_p import VoxelP, voxel_p
from napari_neurosynth_results.statistics.thresholds.apply import p_word
from napari_neurosynth_results.viewer.clusters.atlas_choice import chosen_atlas
from napari_neurosynth_results.viewer.clusters.cluster_layers import clusters_of
from napari_neurosynth_results.viewer.layers import is_seen, map_of, voxels_behind

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

#: What rows of clusters are called, where maps have a kind.
CLUSTERS = "clusters"
OUTSIDE = "outside"
_NONE = "none"
_UNREADABLE = "cannot be read"


@dataclass(frozen=True)
class ReadoutRow:
    """What one layer says of a place.

    Attributes
    ----------
    title : str
        The layer's name.
    kind : str
        Kind of the map, or ``clusters``.
    value : float
        Of the voxel that holds the place, a label for label maps and clusters; NaN
        outside.
    text : str
        The value as it is shown: a number, a name, ``outside``.
    log_p : float
        Natural logarithm of the map's own p, a corrected one for a corrected map; NaN
        where it states none.
    p : str
        p as it is shown; of a corrected map ``q`` or ``p_FWE`` before it.
    effect : str
        Of image-based maps the estimated effect with its intervals, in words.
    test : str
        Of clusters that were tested, where each voxel has the value of its cluster,
        what the uncorrected map says, which is what is colored: ``z 5.918``.
    """

    title: str
    kind: str
    value: float
    text: str
    log_p: float = math.nan
    p: str = ""
    effect: str = ""
    test: str = ""


@dataclass(frozen=True)
class Readout:
    """What lies at a place.

    Attributes
    ----------
    place : tuple of float
        x, y and z in MNI mm.
    region : str
        The region, the nearest one within 4 mm, ``unlabelled``, or empty where no atlas
        applies.
    distance : float
        How far the region is in mm: 0 in it, NaN where there is none.
    rows : tuple of ReadoutRow
        The visible layers of maps and clusters, the topmost first.
    """

    place: Coordinate
    region: str
    distance: float
    rows: tuple[ReadoutRow, ...]

    @property
    def where(self) -> str:
        """The region with its distance, as in ``insula R (2.2 mm)``."""
        return with_distance(self.region, self.distance)


@dataclass(frozen=True, eq=False)
class _Shown:
    """A map that is ready to be asked for voxels."""

    grid: Grid
    voxels: npt.NDArray[Any] | None = field(repr=False)
    inside: Mask | None = field(repr=False)
    p: VoxelP | None
    effects: Effects | None = field(repr=False)
    #: Of clusters that were tested: kind and voxels of the test itself.
    test: tuple[str, npt.NDArray[Any]] | None = field(repr=False)
    #: What all this was made of; something else asks for it anew.
    data: Any = field(repr=False)
    asked: _Asked


@dataclass(frozen=True)
class _Asked:
    """What users have asked of a map, and stated about it, that its p hangs on."""

    evidence: Evidence = OWN_EVIDENCE
    tail: Direction = "auto"


class PlaceReader:
    """Reads out place after place, and keeps in memory what that takes.

    Parameters
    ----------
    viewer : Viewer
        Whose layers to ask.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._shown: dict[StatMap, _Shown] = {}

    def read_at(self, place: Coordinate) -> Readout:
        """Say what lies at a place; never raises for a map that cannot be read.

        Parameters
        ----------
        place : tuple of float
            x, y and z in MNI mm.

        Returns
        -------
        Readout
            Region and rows.
        """
        layers = [layer for layer in reversed(self._viewer.layers) if is_seen(layer)]
        asked = _asked_of(self._viewer.layers)
        kept, rows = {}, []
        for layer in layers:
            if (clusters := clusters_of(layer)) is not None:
                rows.append(_cluster_row(layer, clusters, place))
            elif (statmap := map_of(layer)) is not None:
                shown = self._ready(layer, statmap, asked.get(statmap, _Asked()))
                kept[statmap] = shown
                rows.append(_map_row(layer, statmap, shown, place))
        # What is hidden gives its memory back, and is tried again when it is shown.
        self._shown = kept
        region, distance = _region_at(self._viewer, place, kept)
        return Readout(place, region, distance, tuple(rows))

    def _ready(self, layer: Layer, statmap: StatMap, asked: _Asked) -> _Shown:
        now = self._shown.get(statmap)
        if now is None or now.data is not layer.data or now.asked != asked:
            now = self._prepare(layer, statmap, asked)
        return now

    def _prepare(self, layer: Layer, statmap: StatMap, asked: _Asked) -> _Shown:
        """Find out once what every voxel of a map is asked for.

        Files may be gone since they were opened: then what needs them is left out.
        """
        grid, inside, p = _grid_of(layer, statmap), None, None
        effects: Effects | None = None
        test = None
        try:
            voxels = self._voxels(statmap, layer)
        except (ResultsError, OSError):
            # What is on the screen is all that is left.
            fits = np.shape(layer.data) == grid.shape[::-1]
            holds = fits and statmap.kind.row.holds_labels
            voxels = np.asarray(layer.data).T if holds else None
        if not statmap.kind.row.holds_labels and _complete(statmap):
            with suppress(ResultsError, OSError):
                inside = statmap.mask
            with suppress(ResultsError, OSError):
                source = PSource(statmap, asked.evidence)
                p = voxel_p(source, self._voxels, asked.tail)
            with suppress(ResultsError, OSError):
                effects = find_effects(statmap)
            if statmap.level == "cluster":
                with suppress(ResultsError, OSError):
                    test = self._test_of(statmap)
        if inside is None and voxels is not None:
            inside = values_inside(statmap.kind, voxels)
        return _Shown(grid, voxels, inside, p, effects, test, layer.data, asked)

    def _test_of(self, statmap: StatMap) -> tuple[str, npt.NDArray[Any]] | None:
        test = find_test(statmap)
        return (str(test.kind), self._voxels(test)) if test is not None else None

    def _voxels(self, statmap: StatMap, layer: Layer | None = None) -> Any:
        """Return the voxels of a map, (i, j, k); from a layer where one holds them."""
        layers = [layer] if layer is not None else self._viewer.layers
        for one in layers:
            if map_of(one) is not statmap:
                continue
            if (voxels := voxels_behind(one)) is not None:
                return voxels
            if statmap.kind.row.holds_labels and _holds_labels(one):
                return one.data.T
        return statmap.data


def read_at(viewer: Viewer, place: Coordinate) -> Readout:
    """Say what lies at a place, once; `PlaceReader` is quicker for many.

    Parameters
    ----------
    viewer : Viewer
        Whose layers to ask.
    place : tuple of float
        x, y and z in MNI mm.

    Returns
    -------
    Readout
        Region, and what every visible map says.
    """
    return PlaceReader(viewer).read_at(place)


def _holds_labels(layer: Layer) -> bool:
    """Whether the data of a layer are the labels of its map, and nobody painted."""
    data = layer.data
    is_volume = isinstance(data, np.ndarray) and data.ndim == 3
    return is_volume and data.dtype.kind in "iu" and not layer.editable


def _grid_of(layer: Layer, statmap: StatMap) -> Grid:
    """Return the grid of a map, by its layer where the map has gone."""
    with suppress(ResultsError, OSError):
        return statmap.grid
    affine = np.diag([*layer.scale[:-4:-1], 1.0])
    affine[:3, 3] = layer.translate[:-4:-1]
    i, j, k = layer.data.shape[:-4:-1]
    return Grid((i, j, k), affine)


def _complete(statmap: StatMap) -> bool:
    """Whether asking for mask and p would not bring maps here from a server."""
    results = statmap.results
    return not results.on_demand or all(
        other.at_hand for other in results.run_of(statmap)
    )


def _asked_of(layers: Any) -> dict[StatMap, _Asked]:
    """Find what users have asked of maps, and stated, when they thresholded them."""
    found = {}
    for layer in layers:
        clusters = clusters_of(layer)
        if clusters is not None:
            found[clusters.statmap] = _Asked(clusters.evidence, clusters.asked.tail)
    return found


def _voxel_at(grid: Grid, place: Coordinate) -> Voxel | None:
    """Find the voxel that holds a place, None outside of the grid.

    Half-way between two it is the one that napari draws in slices.
    """
    affine, voxel = grid.affine, []
    for axis in range(3):
        index = (place[axis] - affine[axis, 3]) / affine[axis, axis]
        nearest = round(index)
        if not 0 <= nearest < grid.shape[axis]:
            return None
        voxel.append(nearest)
    i, j, k = voxel
    return i, j, k


def _map_row(
    layer: Layer, statmap: StatMap, shown: _Shown, place: Coordinate
) -> ReadoutRow:
    title, kind = layer.name, str(statmap.kind)
    voxel = _voxel_at(shown.grid, place)
    if voxel is None:
        return ReadoutRow(title, kind, math.nan, OUTSIDE)
    if shown.voxels is None:
        return ReadoutRow(title, kind, math.nan, _UNREADABLE)
    value = float(shown.voxels[voxel])
    if statmap.kind.row.holds_labels:
        return ReadoutRow(title, kind, value, _label_text(statmap, value))
    if math.isnan(value) or (shown.inside is not None and not shown.inside[voxel]):
        return ReadoutRow(title, kind, math.nan, OUTSIDE)
    if shown.p is None:
        return ReadoutRow(title, kind, value, f"{value:.4g}")
    log_p, p = shown.p.log_p(voxel), shown.p.format(voxel)
    if p and statmap.correction:
        # Nobody should take a q for the p of the test.
        p = f"{p_word(statmap)} {p}"
    test = f"{shown.test[0]} {shown.test[1][voxel]:.4g}" if shown.test else ""
    return ReadoutRow(
        title, kind, value, f"{value:.4g}", log_p, p, _effect_at(shown, voxel), test
    )


def _effect_at(shown: _Shown, voxel: Voxel) -> str:
    if shown.effects is None:
        return ""
    flat = np.ravel_multi_index(voxel, shown.grid.shape, order="F")
    found = shown.effects.at(np.array([flat]))
    return f"effect {tell_effect({key: one[0] for key, one in found.items()})}"


def _label_text(statmap: StatMap, value: float) -> str:
    if not value or math.isnan(value):
        return _NONE
    return statmap.file.label_names.get(round(value), f"{value:.0f}")


def _cluster_row(layer: Layer, clusters: ClusterSet, place: Coordinate) -> ReadoutRow:
    grid = _grid_of(layer, clusters.statmap)
    voxel = _voxel_at(grid, place)
    if voxel is None:
        return ReadoutRow(layer.name, CLUSTERS, math.nan, OUTSIDE)
    label = int(layer.data.T[voxel])
    return ReadoutRow(
        layer.name, CLUSTERS, float(label), _cluster_name(clusters, label)
    )


def _cluster_name(clusters: ClusterSet, label: int) -> str:
    # While a slider moves, the volume may be a step ahead of its clusters.
    if not 0 < label <= len(clusters):
        return _NONE
    # Naming looks at every peak and voxel, and the layer's table asks for it in the end
    # of such a move: until then a number is as good.
    names = vars(clusters).get("names")
    return names[label - 1] if names is not None else f"cluster {label}"


def _region_at(
    viewer: Viewer, place: Coordinate, shown: Mapping[StatMap, _Shown]
) -> tuple[str, float]:
    """Name the region at a place, unless the maps lie in another space."""
    if shown and all(one.grid.mni_doubt() for one in shown.values()):
        return "", math.nan
    try:
        atlas = chosen_atlas(viewer)
    except ResultsError:
        return "", math.nan
    if atlas is None:
        return "", math.nan
    labels, distances = atlas.nearest([place])
    return atlas.name_of(int(labels[0])), float(distances[0])


#: What a layer tells of when what it says of a place may have changed.
_TELLING = ("visible", "name", "data", "features")


class ReadoutWatch:
    """Tells a panel that the slices moved, or that layers may say something else there.

    Parameters
    ----------
    viewer : Viewer
        Whose slices and layers to watch.
    changed : callable
        A bound method; held weakly, so that closing the panel ends it.
    """

    def __init__(self, viewer: Viewer, changed: Callable[[], object]) -> None:
        self._changed = weakref.WeakMethod(changed)
        dims, layers = viewer.dims.events, viewer.layers.events
        for told in (dims.point, dims.ndim, dims.ndisplay, dims.order):
            told.connect(self._tell)
        for told in (layers.inserted, layers.removed, layers.reordered):
            told.connect(self._tell)
        layers.inserted.connect(self._follow)
        for layer in viewer.layers:
            self._listen(layer)

    def _follow(self, event: Any) -> None:
        self._listen(event.value)

    def _listen(self, layer: Any) -> None:
        for name in _TELLING:
            if name in layer.events:
                layer.events[name].connect(self._tell)

    def _tell(self, event: object = None) -> None:
        if (told := self._changed()) is not None:
            told()
