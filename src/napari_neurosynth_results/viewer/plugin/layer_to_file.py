"""What of a layer goes into a file: the voxels, where they lie and what they are.

A layer may be anybody's: turned, sheared, in micrometers. What this package put on the
screen is saved as the map that it shows, not as the picture of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.provenance import (
    map_details,
    provenance_details,
    software,
)
from napari_neurosynth_results.export.volumes import (
    ALIGNED,
    Meaning,
    meaning_of,
    space_code,
)
from napari_neurosynth_results.maps.grid import Voxels
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sources.files.orientation import find_reorientation
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.viewer.layers import (
    METADATA_KEY,
    VOXELS_KEY,
    values_of,
)

_Numbers = npt.NDArray[Any]
_Affine = npt.NDArray[np.float64]

_AXES = 3
#: In the order in which they are tried.
_INTEGERS = (np.uint8, np.int16, np.int32, np.int64, np.uint64)
#: Whether a space is MNI's is decided without resampling anything this large.
_MOST_VOXELS = 1 << 40
_EDITED = "edited in napari"


@dataclass(frozen=True, eq=False)
class SavedLayer:
    """What is written of one layer.

    Attributes
    ----------
    name : str
        Of the layer.
    voxels : ndarray, shape (x, y, z)
        In a type that NIfTI has.
    affine : ndarray, shape (4, 4)
        Voxel to mm.
    meaning : Meaning
        What the header says.
    code : int
        NIfTI's code of the space.
    shown : StatMap, ClusterSet or None
        What the layer shows; None for layers of others.
    edited : bool
        Whether somebody has changed the map in the layer.
    """

    name: str
    voxels: _Numbers = field(repr=False)
    affine: _Affine
    meaning: Meaning
    code: int
    shown: StatMap | ClusterSet | None = None
    edited: bool = False

    def details(self, file: str) -> dict[str, Any]:
        """Describe the file for programs, as a sidecar of BIDS does."""
        found: dict[str, Any] = {"File": file, "Layer": self.name}
        if isinstance(self.shown, StatMap):
            found |= map_details(self.shown)
        elif isinstance(self.shown, ClusterSet):
            found |= {"Labels": dict(enumerate(self.shown.names, start=1))}
            found |= provenance_details(self.shown)
        if self.edited:
            found["Edited"] = True
        return found | software()


def saved_image(data: Any, meta: Mapping[str, Any]) -> SavedLayer:
    """Take from an image layer what is written.

    Parameters
    ----------
    meta : mapping
        Its attributes, as in a layer data tuple.

    Returns
    -------
    SavedLayer
        Of a map that this package opened the map's own voxels, unless somebody changed
        them in the layer.

    Raises
    ------
    ResultsError
        When the layer is no volume of single numbers.
    """
    name = str(meta.get("name", "image"))
    if meta.get("rgb"):
        raise ResultsError(
            f"{name} is a color picture: a NIfTI volume holds one number a voxel. Save "
            "it as an image, or split it into its channels first."
        )
    if meta.get("multiscale"):
        # The first one is the whole picture.
        data = data[0]
    voxels = _in_xyz(np.asarray(data), meta, name)
    shown = _shown(meta)
    meaning, edited = Meaning("none", "", name), False
    if isinstance(shown, StatMap):
        held = meta["metadata"].get(VOXELS_KEY)
        meaning, own = meaning_of(shown), _own_voxels(voxels, shown, held)
        voxels, edited = (voxels, True) if own is None else (own, False)
    else:
        shown = None
    return _saved(name, _stored(voxels, name), meta, meaning, shown, edited)


def saved_labels(data: Any, meta: Mapping[str, Any]) -> SavedLayer:
    """Take from a labels layer what is written.

    Parameters
    ----------
    meta : mapping
        Its attributes, as in a layer data tuple.

    Returns
    -------
    SavedLayer
        Labels in the smallest type that holds them.

    Raises
    ------
    ResultsError
        When the layer is no volume.
    """
    name = str(meta.get("name", "labels"))
    if meta.get("multiscale"):
        data = data[0]
    voxels = _smallest(_in_xyz(np.asarray(data), meta, name))
    shown = _shown(meta)
    meaning, edited = Meaning("label", "labels", name), False
    if isinstance(shown, ClusterSet):
        meaning = Meaning("label", "clusters", str(shown.threshold))
        edited = not np.array_equal(voxels, shown.labels)
    elif shown is not None:
        meaning = Meaning("label", "labels", shown.title)
        edited = _is_painted(voxels, shown)
    return _saved(name, voxels, meta, meaning, shown, edited)


def _saved(
    name: str,
    voxels: _Numbers,
    meta: Mapping[str, Any],
    meaning: Meaning,
    shown: StatMap | ClusterSet | None,
    edited: bool,
) -> SavedLayer:
    affine, in_mm = _affine_of(meta, name)
    code = _code(voxels.shape, affine) if in_mm else ALIGNED
    if edited:
        told = f"{_EDITED}: {meaning.description}"
        meaning = Meaning(meaning.intent, meaning.name, told, meaning.dof)
    return SavedLayer(name, voxels, affine, meaning, code, shown, edited)


def _shown(meta: Mapping[str, Any]) -> StatMap | ClusterSet | None:
    found = meta.get("metadata", {}).get(METADATA_KEY)
    return found if isinstance(found, StatMap | ClusterSet) else None


def _own_voxels(
    shown: _Numbers, statmap: StatMap, held: Voxels | None
) -> Voxels | None:
    """Return the voxels of a map, None when the layer shows others.

    What does not survive is not seen, and NaN in the layer. A p that underflowed to 0
    is seen as the smallest there is, which it is not.
    """
    # The file may be gone: what the layer was made of is as good.
    own = held if held is not None else statmap.data
    if shown.shape != own.shape or shown.dtype != own.dtype:
        return None
    values = own if statmap.level != "cluster" else values_of(statmap).data
    differs = (shown != values) & ~np.isnan(shown)
    if (tiny := statmap.underflowed) is not None:
        differs &= ~tiny
    return None if differs.any() else own


def _is_painted(shown: _Numbers, statmap: StatMap) -> bool:
    """Tell whether somebody has painted in the labels of a map."""
    try:
        own = np.rint(np.clip(np.nan_to_num(statmap.data), 0, None))
    except ResultsError:
        return False
    return not np.array_equal(shown, own)


def _order(meta: Mapping[str, Any]) -> tuple[int, ...]:
    """Return which axes of the layer are x, y and z: (z, y, x) unless it says so."""
    labels = [str(label).lower() for label in meta.get("axis_labels") or ()]
    if sorted(labels) == ["x", "y", "z"]:
        return tuple(labels.index(axis) for axis in "xyz")
    return 2, 1, 0


def _in_xyz(data: _Numbers, meta: Mapping[str, Any], name: str) -> _Numbers:
    if data.ndim != _AXES or 0 in data.shape:
        raise ResultsError(
            f"{name} has {data.ndim} axes ({' x '.join(map(str, data.shape))}): only a "
            "volume, which has three, is saved as NIfTI. Save pictures as images, and "
            "the volumes of a series one by one."
        )
    return data.transpose(_order(meta))


def _stored(voxels: _Numbers, name: str) -> _Numbers:
    """Return numbers in a type that NIfTI and those who read it have."""
    kind, size = voxels.dtype.kind, voxels.dtype.itemsize
    if kind == "b" or (kind in "iu" and size == 8):
        return _smallest(voxels)
    if kind == "f" and size == 2:
        return voxels.astype(np.float32)
    if kind not in "iuf" or size > 8:
        raise ResultsError(
            f"{name} holds {voxels.dtype} voxels, which NIfTI readers do not take. "
            "Convert it to float64 first."
        )
    return voxels


def _smallest(voxels: _Numbers) -> _Numbers:
    """Return integers in the smallest type that holds them."""
    low, high = int(voxels.min()), int(voxels.max())
    for fitting in _INTEGERS:
        limits = np.iinfo(fitting)
        if limits.min <= low and high <= limits.max:
            return voxels.astype(fitting)
    raise AssertionError("one of the types holds any integer")


def _affine_of(meta: Mapping[str, Any], name: str) -> tuple[_Affine, bool]:
    """Return voxel to mm in x, y and z, and whether the layer is in mm itself."""
    from napari.utils.transforms import Affine as Transform

    inner = Transform(
        scale=meta.get("scale", np.ones(_AXES)),
        translate=meta.get("translate", np.zeros(_AXES)),
        rotate=_array(meta.get("rotate")),
        shear=_array(meta.get("shear")),
        ndim=_AXES,
    )
    outer = meta.get("affine")
    outer = np.eye(_AXES + 1) if outer is None else np.asarray(outer, float)
    sizes = [_mm_per(unit) for unit in meta.get("units") or (None,) * _AXES]
    in_mm = all(size is not None for size in sizes)
    world = np.diag([*(size or 1.0 for size in sizes), 1.0])
    affine = world @ outer @ np.asarray(inner.affine_matrix, float)
    if not np.isfinite(affine).all() or np.linalg.matrix_rank(affine) <= _AXES:
        raise ResultsError(f"{name} is flat or nowhere: its axes span no volume.")
    order = [*_order(meta), _AXES]
    return affine[np.ix_(order, order)], in_mm


def _array(value: Any) -> _Affine | None:
    return None if value is None else np.asarray(value, float)


def _mm_per(unit: Any) -> float | None:
    """Return the millimeters of a unit, None for pixels."""
    try:
        return float((1 * unit).to("mm").magnitude)
    except (AttributeError, TypeError, ValueError):
        return None


def _code(shape: tuple[int, ...], affine: _Affine) -> int:
    """Return NIfTI's code for a space: MNI's where that is plausible."""
    x, y, z = shape
    try:
        return space_code(find_reorientation((x, y, z), affine, _MOST_VOXELS).grid)
    except ValueError:
        return ALIGNED
