"""The foci of studies in the viewer: a slab of them about the slice, all of them in 3D.

A Points layer is cut half a unit of its data to both sides of the slice, and its mode
`rescale_linear` lets points shrink with their distance. So the unit of the data is the
slab: with `scale` 10 the layer shows 10 mm, each layer its own, in the time that napari
takes for any points. The viewer's own `dims.thickness` would do as well, but it also
averages images over the slab: maps would show numbers that no voxel has.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.maps.results import ResultSet, result_of
from napari_neurosynth_results.maps.studies import Studies
from napari_neurosynth_results.viewer.layers import LayerTuple, lock, map_of
from napari_neurosynth_results.viewer.napari_private import refreshed_once
from napari_neurosynth_results.viewer.palette import study_colors
from napari_neurosynth_results.viewer.scene import weakly

if TYPE_CHECKING:
    import pandas as pd
    from napari.layers import Layer, Points
    from napari.viewer import Viewer

#: The one place where a layer says whose foci it shows.
FOCI_KEY = "neurosynth_results_foci"
#: Which studies are lit up, and which focus of the table each point is.
_LIT_KEY = "neurosynth_results_lit"
#: Thickness of the slab at first, mm.
SLAB_MM = 10.0
#: So thick that every focus is seen, and hardly shrinks.
EVERYTHING_MM = 1000.0
#: napari's slider goes on by the finest layer: a thinner slab would slow it down.
_THINNEST_MM = 1.0
#: Diameter of a focus in the slice, mm; of one that is lit up, and of the others then.
_SIZE = 5.0
_LIT_SIZE = 7.5
_DIM_SIZE = 4.0
_DIM_OPACITY = 0.45
#: With more foci than this, each is smaller: they would cover the brain, and painting
#: the pixels of 50,000 is what takes time.
_MANY = 2000
_RING = np.array([0.05, 0.05, 0.05, 1.0], np.float32)
_LIT_RING = np.ones(4, np.float32)
#: As a share of the size.
_RING_WIDTH, _LIT_RING_WIDTH = 0.1, 0.2
#: Pixels: foci at the rim of the slab can still be seen.
_LIMITS = (5, 10_000)
#: Farther out is no head, and the camera would lose the brain.
_HEAD_MM = 250.0


@dataclass(frozen=True)
class _Shown:
    """What a layer of foci shows."""

    studies: Studies

    def __deepcopy__(self, memo: dict[int, Any]) -> _Shown:
        """Return itself: napari copies metadata when it duplicates a layer."""
        return self


def studies_of(layer: Layer) -> Studies | None:
    """Return the studies whose foci a layer shows, None for layers of others."""
    found = layer.metadata.get(FOCI_KEY)
    return found.studies if isinstance(found, _Shown) else None


def foci_layers(viewer: Viewer) -> list[Points]:
    """List the layers of foci of a viewer, from bottom to top."""
    return [layer for layer in viewer.layers if studies_of(layer) is not None]


def studies_behind(viewer: Viewer, results: ResultSet) -> Studies | None:
    """Return the studies of a result, else those of a file whose foci are shown.

    The foci of another result that is open say nothing of this one.

    Parameters
    ----------
    results : ResultSet
        What is not at hand of it is not asked for.
    """
    if own := _at_hand(results):
        return own
    for layer in reversed(foci_layers(viewer)):
        studies = studies_of(layer)
        if studies is not None and owner_of(viewer, studies) is None:
            return studies
    return None


def owner_of(viewer: Viewer, studies: Studies) -> ResultSet | None:
    """Return the open result that brought some studies, None for those of a file."""
    maps = [one for one in map(map_of, viewer.layers) if one is not None]
    opened = dict.fromkeys(result_of(one) for one in maps)
    return next((one for one in opened if _at_hand(one) is studies), None)


def _at_hand(results: ResultSet) -> Studies | None:
    # A broken file is told of among the notices of what is gathered of studies.
    with suppress(ResultsError):
        return results.studies if results.studies_at_hand else None
    return None


def shown_foci(studies: Studies) -> pd.DataFrame:
    """Choose the foci that can be shown: those inside of what could be a head.

    Returns
    -------
    pandas.DataFrame
        Rows of ``studies.foci``, with its index.
    """
    foci = studies.foci
    return foci[(foci[["x", "y", "z"]].abs() <= _HEAD_MM).all(axis=1)]


def foci_layer(studies: Studies) -> LayerTuple:
    """Build the layer of the foci of included analyses.

    Returns
    -------
    tuple
        Data (z, y, x) that ``scale`` puts into MNI mm, keyword arguments and type for
        napari. Each study has a color by its place among the studies; features tell of
        each focus, its x, y and z in mm as well.
    """
    foci = shown_foci(studies)
    keywords: dict[str, Any] = {
        "name": f"Foci of {counted(len(studies.included), 'study', 'studies')}",
        "features": _features(foci),
        "scale": (SLAB_MM,) * 3,
        "size": _SIZE * _shrink(len(foci)) / SLAB_MM,
        # napari takes no empty list of colors.
        "face_color": _colors(studies, foci) if len(foci) else "white",
        "border_color": _RING,
        "border_width": _RING_WIDTH,
        "symbol": "disc",
        "shading": "none",
        "projection_mode": "rescale_linear",
        "canvas_size_limits": _LIMITS,
        "blending": "translucent_no_depth",
        "axis_labels": ("z", "y", "x"),
        "units": ("mm", "mm", "mm"),
        "metadata": {
            FOCI_KEY: _Shown(studies),
            _LIT_KEY: (None, np.arange(len(foci))),
        },
    }
    return _places(foci) / SLAB_MM, keywords, "points"


def show_foci(viewer: Viewer, studies: Studies, title: str = "") -> Points:
    """Add the layer of the foci of some studies, and look through a slab.

    Parameters
    ----------
    title : str
        What the layer is called; by default after the number of studies.

    Returns
    -------
    Points
        The layer, or the one that shows these studies already. Removing it undoes all.
    """
    from napari.layers import Points

    there = foci_layers(viewer)
    for layer in there:
        if studies_of(layer) == studies:
            layer.visible = True
            return layer
    data, keywords, _ = foci_layer(studies)
    made = Points(data, **keywords)
    made.name = for_qt(title) or made.name
    lock(made)
    active = viewer.layers.selection.active
    viewer.add_layer(made)
    if active is not None:
        # The controls of the map that is looked at stay at hand.
        viewer.layers.selection.active = active
    if not there:
        # The viewer owns the events: a strong reference back would keep it alive.
        ref = weakly(viewer)
        viewer.layers.events.removed.connect(partial(_let_go, ref))
        viewer.dims.events.ndisplay.connect(partial(_fit_display, ref))
    _fit_display(weakly(viewer))
    return made


def slab_of(layer: Points) -> float | None:
    """Return how thick the slab is that foci are seen through.

    Returns
    -------
    float or None
        Half of it lies to each side of the slice, mm; None when all foci are seen.
    """
    thickness = float(layer.scale[-1])
    return None if thickness >= EVERYTHING_MM else thickness


def set_slab(layer: Points, mm: float | None) -> None:
    """Choose how thick the slab is.

    Parameters
    ----------
    mm : float or None
        Half of it lies to each side of the slice, along whichever axis is sliced; None
        shows all foci. Less than 1 mm is taken for 1 mm.
    """
    wanted = EVERYTHING_MM if mm is None else mm
    wanted = min(max(wanted, _THINNEST_MM), EVERYTHING_MM)
    unit = layer.scale[-1]
    if wanted == unit:
        return
    foci = _foci_of(layer)
    with refreshed_once(layer):
        layer.size = layer.size * (unit / wanted)
        layer.data = _places(foci) / wanted
        layer.scale = (wanted,) * 3
    layer.refresh()


def _foci_of(layer: Points) -> pd.DataFrame:
    """Return the foci of a layer in the order of its points."""
    studies = studies_of(layer)
    assert studies is not None
    order: npt.NDArray[np.intp] = layer.metadata[_LIT_KEY][1]
    return shown_foci(studies).iloc[order]


def light_up(layer: Points, study_ids: Collection[str] | None) -> None:
    """Bring out the foci of some studies: bigger, ringed in white, above the others.

    Parameters
    ----------
    study_ids : collection of str or None
        Ids of the studies; the foci of all others are dimmed. None gives all back.
    """
    studies = studies_of(layer)
    assert studies is not None
    lit = None if study_ids is None else frozenset(study_ids)
    before, order = layer.metadata[_LIT_KEY]
    foci = shown_foci(studies)
    if lit == before or foci.empty:
        return
    chosen = np.zeros(len(foci), bool)
    if lit is not None:
        chosen = foci["study_id"].isin(list(lit)).to_numpy()
    # What comes last is drawn on top.
    now = np.argsort(chosen, kind="stable")
    chosen, foci = chosen[now], foci.iloc[now]
    colors = _colors(studies, foci)
    if lit is not None:
        colors[~chosen, 3] = _DIM_OPACITY
    unit = layer.scale[-1]
    with refreshed_once(layer):
        if not np.array_equal(order, now):
            layer.selected_data = set()
            layer.data = _places(foci) / unit
            layer.features = _features(foci)
        layer.face_color = colors
        rings = np.where(chosen[:, None], _LIT_RING, _RING)
        rings[:, 3] = np.where(chosen | (lit is None), 1.0, 0.0)
        layer.border_color = rings
        layer.border_width = np.where(chosen, _LIT_RING_WIDTH, _RING_WIDTH)
        other = _SIZE if lit is None else _DIM_SIZE
        size = np.where(chosen, _LIT_SIZE, other) * _shrink(len(foci))
        layer.size = size / unit
        layer.metadata[_LIT_KEY] = (lit, now)
    layer.refresh()


def lit_studies(layer: Points) -> frozenset[str] | None:
    """Return the ids of the studies that are lit up, None when none is."""
    lit: frozenset[str] | None = layer.metadata[_LIT_KEY][0]
    return lit


def _places(foci: pd.DataFrame) -> npt.NDArray[np.float64]:
    return foci[["z", "y", "x"]].to_numpy(np.float64)


def _shrink(n_foci: int) -> float:
    return float((_MANY / max(n_foci, _MANY)) ** 0.25)


def _features(foci: pd.DataFrame) -> pd.DataFrame:
    """Describe each focus, as napari's status bar says it under the mouse."""
    columns = ["study", "analysis", "year", "doi", "statistic", "value", "space"]
    told = foci[[*columns, "participants", "x", "y", "z"]].reset_index(drop=True)
    told["space"] = told["space"].where(~foci["converted"].to_numpy(), "TAL to MNI")
    told["space"] = told["space"].replace("", "unknown")
    for column in ("study", "analysis", "doi", "statistic", "space"):
        told[column] = [for_qt(x) if isinstance(x, str) else x for x in told[column]]
    # napari says nothing of what is missing, and knows that of numbers only.
    numbers = dict.fromkeys(("year", "participants"), "float64")
    return told.astype(numbers)


def _colors(studies: Studies, foci: pd.DataFrame) -> npt.NDArray[np.float32]:
    number = {study.id: n for n, study in enumerate(studies.studies)}
    return study_colors(foci["study_id"].map(number).to_numpy(np.int64))


def _fit_display(ref: weakref.ref[Any], event: object = None) -> None:
    """Show discs in the order of the layer in 2D, and spheres that hide each other."""
    viewer = ref()
    if viewer is None:
        return
    flat = viewer.dims.ndisplay == 2
    for layer in foci_layers(viewer):
        layer.blending = "translucent_no_depth" if flat else "translucent"
        layer.shading = "none" if flat else "spherical"


def _let_go(ref: weakref.ref[Any], event: object = None) -> None:
    """Follow the viewer no more when its last foci are gone."""
    viewer = ref()
    if viewer is None or foci_layers(viewer):
        return
    for emitter in (viewer.layers.events.removed, viewer.dims.events.ndisplay):
        for callback in tuple(emitter.callbacks):
            if isinstance(callback, partial) and callback.func in _OWN:
                emitter.disconnect(callback)


_OWN = (_let_go, _fit_display)
