"""Maps -> napari layer data tuples, without importing napari.

Every layer is (z, y, x) in true MNI millimeters through `scale` and `translate`; which
way is up on the canvas is the camera's business (`viewer.scene`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy import template
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.colors import weakest_of
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.kinds import ColorFamily, MapKind
from napari_neurosynth_results.maps.results import ResultSet, result_of
from napari_neurosynth_results.maps.statmap import MapSet, StatMap
from napari_neurosynth_results.statistics.thresholds.cluster_level import find_peak_map
from napari_neurosynth_results.statistics.thresholds.first_look import (
    FirstLook,
    find_strongest,
    first_look,
    look_without_siblings,
)
from napari_neurosynth_results.viewer.colormaps import (
    UNDERLAY_COLORS,
    ColorRange,
    coloring,
)

LayerTuple = tuple[Any, dict[str, Any], str]

#: The one place where a layer says which map it shows.
METADATA_KEY = "neurosynth_results"
#: Why the layer is shown at the threshold that it is shown at.
REASON_KEY = "neurosynth_results_threshold"
#: The same in short: height and extent alone.
SHORT_REASON_KEY = "neurosynth_results_threshold_in_short"
#: What lines inside of its clusters are around.
INSIDE_KEY = "neurosynth_results_inside"
#: The voxels of a map's layer, which are a picture of the map: others that stand in the
#: layer were put there by the user.
PICTURE_KEY = "neurosynth_results_picture"
#: All voxels of the map that a layer shows, (i, j, k), read-only: the file may be gone.
VOXELS_KEY = "neurosynth_results_voxels"
#: Name of the colormap and limits that a layer was given: others are the user's choice.
GIVEN_KEY = "neurosynth_results_given"
#: What the colors of a layer mean: a `ColorRange`.
RANGE_KEY = "neurosynth_results_range"
#: For whom a layer stands back that would be seen else: surfaces in 3D, parts of it
#: beside another map. A set of names, of which each is put and taken by one only.
_STANDS_BACK = "neurosynth_results_stands_back"
#: Marks the underlay, so that it is not added twice.
UNDERLAY_KEY = "neurosynth_results_underlay"
#: Marks what a view is drawn with, as a glass brain: it goes with the view.
VIEW_KEY = "neurosynth_results_of_a_view"
#: A source gets no more layers than this, the underlay among them.
MOST_LAYERS = 12
#: A result that does not fit starts with fewer: each hidden layer costs 7 MB and a
#: tenth of a second, and the rest is a click away in the list of maps.
FIRST_LAYERS = 8
#: Labels beyond this get no table: an atlas coded in thousands is no list of clusters.
_MOST_LABELS = 5000
#: Opacity of a map of which nothing survives.
FAINT = 0.4
#: Percentile of an image of a brain that is white, but for headroom: white matter may
#: not outshine the maps.
_BRIGHT, _HEADROOM = 99.0, 1.3
#: A value that reaches the height but for so much of it is kept.
_NUDGE = 1e-6
#: What napari puts behind a name that another layer has.
_NUMBERED = re.compile(r" \[\d+\]$")
#: How a map without any value is shown: transparent, so that it hides nothing.
_NOTHING = FirstLook(
    height=1.0,
    strongest=1.0,
    signed=False,
    n_voxels=0,
    survives=False,
    reason="no voxel is above 0: there is nothing to show",
)


@dataclass(frozen=True)
class FirstLayers:
    """What one source gives to the viewer.

    Attributes
    ----------
    layers : list of tuple
        napari layer data tuples, the underlay first.
    shown, waiting : tuple of StatMap
        Maps that have a layer, and maps that do not.
    looks : dict of str to FirstLook
        Map key -> how it is first shown.
    """

    layers: list[LayerTuple]
    shown: tuple[StatMap, ...]
    waiting: tuple[StatMap, ...]
    looks: dict[str, FirstLook]

    @property
    def visible(self) -> StatMap | None:
        """The one map that is not hidden."""
        return self.shown[0] if self.shown else None


def build_layers(
    results: ResultSet,
    *,
    underlay: bool,
    most: int = MOST_LAYERS,
    one_a_test: bool = False,
) -> FirstLayers:
    """Build the first layers of a result set.

    Parameters
    ----------
    results : ResultSet
        Whose maps to show, in their order of interest.
    underlay : bool
        Whether to put the MNI template below.
    most : int
        No more maps than this.
    one_a_test : bool
        Of the maps of one test, corrected or not, only the most interesting.

    Returns
    -------
    FirstLayers
        At most `MOST_LAYERS` layers, `FIRST_LAYERS` of a result with more maps than
        that; one map visible. Maps that cannot be read are left
        out; the result set's ``problems`` then say why.
    """
    layers = [underlay_layer()] if underlay else []
    shown: list[StatMap] = []
    tried: set[StatMap] = set()
    looks: dict[str, FirstLook] = {}
    # What waits on a server is for the list of maps.
    maps = [m for m in results.maps.values() if m.at_hand or results.on_demand]
    if one_a_test:
        maps = list({test_of(m): m for m in reversed(maps)}.values())[::-1]
    fits = len(layers) + len(maps) <= MOST_LAYERS
    most = min(most + len(layers), MOST_LAYERS if fits else FIRST_LAYERS)
    while maps and len(layers) < most:
        batch = maps[: most - len(layers)]
        maps = maps[len(batch) :]
        tried.update(batch)
        read = results.read(batch)
        for statmap in batch:
            if statmap.key not in read:
                continue
            layer, look = map_layer(statmap, visible=not shown)
            layers.append(layer)
            shown.append(statmap)
            if look is not None:
                looks[statmap.key] = look
    # The siblings that told p are not needed again before somebody looks closer.
    results.release()
    waiting = [m for m in results.maps.values() if m not in tried]
    return FirstLayers(
        _visible_on_top(layers, underlay), tuple(shown), tuple(waiting), looks
    )


def test_of(statmap: StatMap) -> tuple[object, ...]:
    """Say which test a map belongs to: the same for all its values and corrections."""
    name = statmap.name
    if name is None:
        return (statmap.key,)
    return (*name.run, name.test)


def _visible_on_top(layers: list[LayerTuple], underlay: bool) -> list[LayerTuple]:
    """Order for the layer list, which shows the last layer on top."""
    below = layers[:1] if underlay else []
    return below + layers[len(below) :][::-1]


def map_layer(
    statmap: StatMap, *, visible: bool
) -> tuple[LayerTuple, FirstLook | None]:
    """Build the layer of one map.

    Parameters
    ----------
    statmap : StatMap
        The map; its voxels are read.
    visible : bool
        Whether the layer is shown at once.

    Returns
    -------
    layer : tuple
        Data, keyword arguments and type for napari.
    look : FirstLook or None
        The threshold chosen and its reason; None for label maps and empty maps.

    Raises
    ------
    ResultsError
        When the map cannot be read.
    """
    row = statmap.kind.row
    if row.colors is ColorFamily.LABELS:
        return _label_layer(statmap, visible), None
    if row.lies_below:
        return _own_underlay(statmap, visible), None
    try:
        look = first_look(statmap)
    except ResultsError:
        # The map itself may be fine, and only the sibling that states its p is not.
        look = look_without_siblings(statmap)
    shown = look or _NOTHING
    # What contradicts its kind is shown by size, and not as strong where it is small.
    doubted = row.small_is_strong and bool(statmap.doubt)
    values, kept = values_of(statmap), _first_voxels(statmap, shown, doubted=doubted)
    kind = MapKind.OTHER if doubted else values.kind
    data = empty_picture(statmap.grid)
    np.copyto(data.T, values.data, where=kept)
    colors = _range_of(values, data, shown) if values is not statmap else shown
    if statmap.underflowed is not None:
        # A p that underflowed to 0 gets a value that can be seen.
        data.T[statmap.underflowed & kept] = shown.strongest
    chosen = coloring(colors, kind)
    keywords = {
        **placement_keywords(statmap.grid),
        # napari shows names in tooltips and in its status bar, where tags count.
        "name": name_of_map(statmap, of_several=False),
        "visible": visible,
        "blending": "translucent_no_depth",
        "colormap": chosen.colormap,
        "contrast_limits": chosen.contrast_limits,
        "opacity": 1.0 if shown.survives else FAINT,
        "rendering": "minip" if kind.row.small_is_strong else "mip",
        "metadata": {
            METADATA_KEY: statmap,
            REASON_KEY: shown.reason,
            PICTURE_KEY: data,
            VOXELS_KEY: statmap.data,
            GIVEN_KEY: (chosen.colormap["name"], chosen.contrast_limits),
            RANGE_KEY: ColorRange.of(
                colors,
                values,
                kind=kind,
                sides=(True, colors.signed),
                marks_threshold=values is statmap,
            ),
        },
    }
    return (data, keywords, "image"), look


def empty_picture(grid: Grid) -> npt.NDArray[np.float32]:
    """Make the voxels of a layer in which nothing is seen.

    Returns
    -------
    ndarray of float32, shape (k, j, i)
        NaN, which is transparent whatever the limits, gamma and colormap of the layer.
    """
    return np.full(grid.shape[::-1], np.nan, np.float32)


def values_of(statmap: StatMap) -> StatMap:
    """Return the map whose values are seen where a map is significant.

    Returns
    -------
    StatMap
        The uncorrected sibling of a cluster-level corrected map, which has one value a
        cluster; else the map itself.
    """
    if statmap.level != "cluster":
        return statmap
    try:
        found = find_peak_map(statmap)
        _ = found.data
    except ResultsError:
        # Its own values are better than none.
        return statmap
    return found


def _first_voxels(
    statmap: StatMap, look: FirstLook, *, doubted: bool
) -> npt.NDArray[np.bool_]:
    """Mark the voxels that a first look announces, (i, j, k)."""
    data = statmap.data
    if statmap.kind.row.small_is_strong and not doubted:
        kept = (data > 0) & (data <= look.height * (1 + _NUDGE))
        return kept if statmap.underflowed is None else kept | statmap.underflowed
    strength = np.abs(data) if look.signed else data
    reaches = strength >= look.height - abs(look.height) * _NUDGE
    has_value = data != 0
    if look.above_zero is not None and statmap.inside is not None:
        # A 0 is a value where the mask says inside.
        has_value = statmap.inside
    return np.asarray(reaches & has_value)


def _range_of(
    values: StatMap, data: npt.NDArray[np.float32], look: FirstLook
) -> FirstLook:
    """Say where the colors begin and end of values that another map has chosen."""
    strongest = find_strongest(values)
    weakest = weakest_of(values, data[np.isfinite(data)], strongest)
    return replace(look, height=weakest, strongest=strongest, signed=values.signed)


def _own_underlay(statmap: StatMap, visible: bool) -> LayerTuple:
    """Build the layer of an image of a brain, in place of the template."""
    voxels = np.nan_to_num(statmap.data)
    # A few bright voxels, of fat or of vessels, would leave the brain dark.
    lit = voxels[voxels > 0]
    bright = float(np.percentile(lit, _BRIGHT)) if lit.size else 1.0
    limits = 0.0, _HEADROOM * bright
    made = _anatomy_layer(voxels, statmap.grid, statmap.title, limits)
    made[1]["visible"] = visible
    made[1]["metadata"] |= {METADATA_KEY: statmap, VOXELS_KEY: statmap.data}
    return made


def _label_layer(statmap: StatMap, visible: bool) -> LayerTuple:
    values = np.nan_to_num(statmap.data)
    most = int(values.max(initial=0))
    # Small integers go to the graphics card unchanged.
    fitting = np.uint8 if most < 2**8 else np.uint16 if most < 2**16 else np.int32
    labels = np.rint(np.clip(values, 0, None)).astype(fitting, order="K").T
    keywords: dict[str, Any] = {
        **placement_keywords(statmap.grid),
        "name": name_of_map(statmap, of_several=False),
        "visible": visible,
        "opacity": 0.8,
        "metadata": {
            METADATA_KEY: statmap,
            REASON_KEY: "labels as written by the program that made the map",
        },
    }
    if most <= _MOST_LABELS:
        keywords["features"] = _label_features(
            labels, statmap.grid, statmap.file.label_names
        )
    return labels, keywords, "labels"


def _label_features(
    labels: npt.NDArray[Any], grid: Grid, names: Mapping[int, str]
) -> dict[str, Any]:
    """Describe each label: row i is label i, and row 0 the background."""
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    where = np.nonzero(labels)
    values = labels[where]
    with np.errstate(invalid="ignore"):
        centers = [
            np.bincount(values, weights=axis, minlength=len(sizes)) / sizes
            for axis in where
        ]
    voxel = float(np.prod(grid.voxel_size))
    z, y, x = (
        np.round(center * size + origin, 1)
        for center, size, origin in zip(
            centers, grid.voxel_size[::-1], grid.origin[::-1], strict=True
        )
    )
    return {
        # What napari's status bar says under the mouse.
        "cluster": [
            "",
            *(for_qt(_called(label, names)) for label in range(1, len(sizes))),
        ],
        "n_voxels": sizes,
        "volume_mm3": np.round(sizes * voxel, 1),
        "center_x": x,
        "center_y": y,
        "center_z": z,
    }


def _called(label: int, names: Mapping[int, str]) -> str:
    """Name a label; among names, one without says so."""
    if not names:
        return str(label)
    return names.get(label, f"label {label} (no name)")


def underlay_layer() -> LayerTuple:
    """Build the layer of the MNI template."""
    voxels, grid = template.read_underlay(1)
    # Headroom keeps white matter from outshining the maps.
    return _anatomy_layer(voxels, grid, template.UNDERLAY_TITLE, (0, 340))


def _anatomy_layer(
    voxels: npt.NDArray[Any], grid: Grid, name: str, limits: tuple[float, float]
) -> LayerTuple:
    keywords = {
        **placement_keywords(grid),
        "name": name,
        "colormap": UNDERLAY_COLORS,
        "contrast_limits": limits,
        "interpolation2d": "linear",
        "blending": "translucent_no_depth",
        # In 3D a glass of brain, through which the maps are seen.
        "rendering": "attenuated_mip",
        "attenuation": 0.3,
        "metadata": {UNDERLAY_KEY: True},
    }
    return voxels.T, keywords, "image"


def placement_keywords(grid: Grid) -> dict[str, Any]:
    """Place (z, y, x) data in MNI millimeters, and show slices as they are.

    napari averages images over the viewer's thickness, which foci use as their slab: a
    mean of z is no z.
    """
    return {
        "projection_mode": "none",
        "scale": grid.voxel_size[::-1],
        "translate": grid.origin[::-1],
        "axis_labels": ("z", "y", "x"),
        "units": ("mm", "mm", "mm"),
    }


def grid_of(layer: Any) -> Grid:
    """Return the grid of a napari layer in (z, y, x), as one in x, y, z.

    Raises
    ------
    ResultsError
        When the layer is not a volume along the axes of the viewer.
    """
    affine = np.asarray(layer.affine.affine_matrix)
    plain = np.allclose(affine, np.eye(len(affine))) and np.allclose(
        np.asarray(layer.rotate), np.eye(layer.ndim)
    )
    if layer.ndim != 3 or not plain or (np.asarray(layer.scale) <= 0).any():
        raise ResultsError(
            f"{layer.name} does not lie along the axes of the viewer: save it as an "
            "image, and choose that file as the mask."
        )
    matrix = np.diag([*layer.scale[::-1], 1.0])
    matrix[:3, 3] = layer.translate[::-1]
    x, y, z = layer.data.shape[::-1]
    return Grid((x, y, z), matrix)


def map_of(layer: Any) -> StatMap | None:
    """Return the map that a layer shows, None for layers of others."""
    found = layer.metadata.get(METADATA_KEY)
    return found if isinstance(found, StatMap) else None


def lock(layer: Any) -> None:
    """Forbid to change the data of a layer, which would disagree with what it shows."""
    layer.editable = False
    # Once is enough: napari connects nothing twice.
    layer.events.editable.connect(_lock_again)


def _lock_again(event: Any) -> None:
    # napari unlocks a layer whenever its data change.
    if event.source.editable:
        event.source.editable = False


def is_seen(layer: Any) -> bool:
    """Whether a layer is seen, or would be if others did not stand for it."""
    return bool(layer.visible or layer.metadata.get(_STANDS_BACK))


def stand_back(layer: Any, of: str, wanted: bool = True) -> None:
    """Say that a layer would be seen, did not something else stand for it; or not.

    Parameters
    ----------
    of : str
        What stands for it.
    """
    others = layer.metadata.pop(_STANDS_BACK, frozenset()) - {of}
    if marks := others | ({of} if wanted else set()):
        layer.metadata[_STANDS_BACK] = marks


def stands_back(layer: Any, of: str) -> bool:
    """Whether a layer stands back for something, and the user wants to see it."""
    return of in layer.metadata.get(_STANDS_BACK, ())


def voxels_behind(layer: Any) -> npt.NDArray[np.float32] | None:
    """Return all voxels of the map that an image layer shows, also those not seen.

    Returns
    -------
    ndarray of float32, shape (i, j, k), or None
        Read-only; None for layers of others.
    """
    found: npt.NDArray[np.float32] | None = layer.metadata.get(VOXELS_KEY)
    return found


def value_behind(layer: Any, voxel: tuple[int, ...]) -> float | None:
    """Return the value of a map at a voxel, also where it is not seen.

    Parameters
    ----------
    voxel : tuple of int
        Into the data of the layer.

    Returns
    -------
    float or None
        Of clusters that were tested, which have one value each, what is colored: the
        value of the test itself. None for layers of others.
    """
    voxels, statmap = voxels_behind(layer), map_of(layer)
    if voxels is None or statmap is None:
        return None
    if statmap.level == "cluster" and not np.isnan(seen := layer.data[voxel]):
        return float(seen)
    return float(voxels.T[voxel])


def result_sets(layers: Iterable[Any]) -> list[ResultSet]:
    """List the result sets behind some layers, each once, in order."""
    found: list[ResultSet] = []
    for layer in layers:
        statmap = map_of(layer)
        if statmap is not None and statmap.results not in found:
            found.append(result_of(statmap))
    return found


def name_of_map(statmap: StatMap, *, of_several: bool) -> str:
    """Name a map as layers and lists do.

    Parameters
    ----------
    of_several : bool
        Whether several results are open: then that of the map comes first.
    """
    # What was made of others says in its title of which.
    alone = not of_several or not statmap.results.source
    # A file that was opened alone is a result of its own name.
    if alone or statmap.results.title == statmap.short_title:
        return for_qt(statmap.short_title)
    return for_qt(f"{statmap.results.title}: {statmap.short_title}")


def has_own_name(layer: Any, statmap: StatMap) -> bool:
    """Whether a layer is called as its map is, and not as a user has called it."""
    names = [name_of_map(statmap, of_several=several) for several in (False, True)]
    return layer.name in names or _NUMBERED.sub("", layer.name) in names


def are_several(results: Iterable[MapSet]) -> bool:
    """Whether several results are open, but for what was made of them and anatomies."""
    return len([one for one in results if one.source and holds_maps(one)]) > 1


def holds_maps(results: MapSet) -> bool:
    """Whether a result has maps to look at, and not only images of a brain."""
    return not all(one.kind.row.lies_below for one in results.maps.values())
