"""Modeled activations: an ALE, MKDA or KDA rebuilt from the foci of its experiments.

Nothing is said of an experiment before the statistic that its foci give, with those of
all others, is the one that was opened, at every voxel of the mask. The largest within
an experiment: Turkeltaub et al. 2012, Hum Brain Mapp 33, 1-13. As in NiMARE 0.0.12 to
0.22.1, which does not do the same in all releases (`FociConvention`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.numerals import short_percent
from napari_neurosynth_results.arrays import (
    BoolArray,
    Float32Array,
    Float64Array,
    IndexArray,
    Int32Array,
)
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.maps.studies import Experiment, Studies
from napari_neurosynth_results.statistics.studies.contributions import (
    ModeledContributions,
)
from napari_neurosynth_results.statistics.studies.kernels import (
    FociConvention,
    Kernel,
    Method,
    draw_gaussian,
    draw_sphere,
    fwhm_of,
    nearest_voxels,
)

if TYPE_CHECKING:
    from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet

#: Two float32 values that differ by less, relative to them, are one.
SAME_STATISTIC = 1e-6
#: What 1 - exp(total) loses near 0, where a total is the far end of a kernel.
_CANCELLED = 1e-14
#: A convention is tried on so many voxels before it is on all.
_PROBES = 600
#: What the statistic is called in the names of NiMARE's files, old ones too.
_STATISTICS = ("stat", "ale", "of")
_PEOPLE: dict[str, Callable[[Sequence[float]], float]] = {
    "last": lambda sizes: sizes[-1],
    "first": lambda sizes: sizes[0],
    "mean": lambda sizes: sum(sizes) / len(sizes),
    "largest": max,
}


@dataclass(frozen=True, eq=False)
class _Unit:
    """What the algorithm took for one experiment."""

    id: str
    name: str
    places: Float64Array
    people: float | None


def _units(studies: Studies, convention: FociConvention) -> list[_Unit]:
    """List the experiments with foci, in the order in which NiMARE sorts their ids."""
    found = []
    for study in studies:
        used = [a for a in study.analyses if a.included]
        single = len(used) < 2
        groups = [used] if convention.by_study and used else [[a] for a in used]
        for analyses in groups:
            places = [(f.x, f.y, f.z) for a in analyses for f in a.foci]
            if not places:
                continue
            sizes = [a.kernel_participants for a in analyses]
            known = [size for size in sizes if size is not None]
            whole = Experiment("", study, analyses[0].group, tuple(analyses))
            own = study.experiments[whole.group]
            name = f"{study.id}-{analyses[0].id}"
            found.append(
                _Unit(
                    f"{study.id}-{'_'.join(a.id for a in analyses)}",
                    own if convention.by_study or single else name,
                    np.array(places, dtype=np.float64),
                    _PEOPLE[convention.people](known) if known else None,
                )
            )
    return sorted(found, key=lambda unit: unit.id)


@dataclass(frozen=True, eq=False)
class _Recipe:
    """One way in which the statistic may have come from the foci."""

    method: Method
    convention: FociConvention
    units: list[_Unit]
    voxels: list[npt.NDArray[np.int64]]
    kernels: list[Float32Array]

    @cached_property
    def weights(self) -> Float64Array:
        """What each experiment counts in an MKDA, shape (k,)."""
        if not self.convention.weighted:
            return np.ones(len(self.units))
        roots = np.sqrt([unit.people or np.nan for unit in self.units])
        return np.asarray(roots / roots.mean())

    def same_as(self, other: _Recipe) -> bool:
        """Whether another recipe gives the same."""
        return (
            self.method is other.method
            and [unit.id for unit in self.units] == [unit.id for unit in other.units]
            and all(map(np.array_equal, self.voxels, other.voxels))
            and all(a is b for a, b in zip(self.kernels, other.kernels, strict=True))
            and np.array_equal(self.weights, other.weights)
        )

    def at(self, where: npt.NDArray[np.int64]) -> Float32Array:
        """Return the statistic at a few voxels, indices (n, 3)."""
        values = np.zeros((len(self.units), len(where)))
        for row, (voxels, kernel) in enumerate(
            zip(self.voxels, self.kernels, strict=True)
        ):
            half = np.array(kernel.shape) // 2
            step = where[np.newaxis] - voxels[:, np.newaxis] + half
            hit = ((step >= 0) & (step < kernel.shape)).all(axis=-1)
            found = np.zeros(hit.shape)
            found[hit] = kernel[tuple(step[hit].T)]
            summed = self.method is Method.KDA
            values[row] = found.sum(axis=0) if summed else found.max(axis=0)
        if self.method is Method.ALE:
            logs = np.log1p(-values.astype(np.float32)).astype(np.float64)
            return np.asarray(1 - np.exp(logs.sum(axis=0)), np.float32)
        return np.asarray(self.weights @ values, np.float32)

    def rows(self, grid: Grid, inside: IndexArray, job: Job) -> Iterator[Float32Array]:
        """Draw the modeled activation of one experiment after the other.

        Yields
        ------
        ndarray of float32, shape (m,)
            In the voxels of the mask, C order; overwritten by the next one.
        """
        # A whole kernel, so that one which reaches into the grid lies within.
        margin = np.max([kernel.shape for kernel in self.kernels], axis=0)
        drawn = np.zeros(np.array(grid.shape) + 2 * margin, np.float32)
        ijk = np.array(np.unravel_index(inside, grid.shape))
        flat = np.ravel_multi_index(tuple(ijk + margin[:, np.newaxis]), drawn.shape)
        out = np.empty(inside.size, np.float32)
        combine = np.add if self.method is Method.KDA else np.maximum
        for n, (voxels, kernel) in enumerate(
            zip(self.voxels, self.kernels, strict=True)
        ):
            job.report("Modeled activations", n, len(self.units))
            corner = voxels + margin - np.array(kernel.shape) // 2
            fits = (corner >= 0) & (corner + kernel.shape <= drawn.shape)
            touched = corner[fits.all(axis=1)]
            boxes = [
                tuple(slice(a, a + n) for a, n in zip(one, kernel.shape, strict=True))
                for one in touched.tolist()
            ]
            for box in boxes:
                combine(drawn[box], kernel, out=drawn[box])
            np.take(drawn.reshape(-1), flat, out=out)
            yield out
            for box in boxes:
                drawn[box] = 0


@dataclass(frozen=True, eq=False)
class ModeledActivations:
    """The modeled activation of each experiment, which together are the opened map.

    Attributes
    ----------
    method : Method
        How they were made and combined.
    names : tuple of str, length k
        The experiments, as `Experiments` calls them, in the order of NiMARE's ids.
    statmap : StatMap
        The statistic that they reproduce.
    inside : ndarray of int, shape (m,)
        The voxels of the analysis mask in the flat volume, in C order.
    start : ndarray of int, shape (k + 1,)
        Where the entries of an experiment begin.
    at : ndarray of int32, shape (n,)
        Of each entry its place in `inside`.
    values : ndarray of float32, shape (n,)
        Its modeled activation; voxels with none have no entry.
    weights : ndarray of float64, shape (k,)
        What each experiment counts in an MKDA; 1 in all else.
    convention : FociConvention
        How foci became voxels.
    largest_difference : float
        Between the rebuilt statistic and the opened one.
    notices : tuple of str
        What has to be known.
    """

    method: Method
    names: tuple[str, ...]
    statmap: StatMap
    inside: IndexArray = field(repr=False)
    start: IndexArray = field(repr=False)
    at: Int32Array = field(repr=False)
    values: Float32Array = field(repr=False)
    weights: Float64Array = field(repr=False)
    convention: FociConvention
    largest_difference: float = 0.0
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Count the experiments."""
        return len(self.names)

    @property
    def nbytes(self) -> int:
        """Memory of the entries, in bytes."""
        return self.at.nbytes + self.values.nbytes

    def row(self, number: int) -> tuple[Int32Array, Float32Array]:
        """Return the places and the values of one experiment."""
        own = slice(self.start[number], self.start[number + 1])
        return self.at[own], self.values[own]

    def parts(self, number: int) -> Float64Array:
        """Return what one experiment adds to `total`, one number an entry."""
        values = self.row(number)[1]
        if self.method is Method.ALE:
            # NiMARE takes the logarithm in float32, and sums in float64.
            return np.log1p(-values).astype(np.float64)
        return np.asarray(values * self.weights[number], np.float64)

    @cached_property
    def total(self) -> Float64Array:
        """Sum of log(1 - MA) over experiments, of an MKDA or KDA of MA; shape (m,)."""
        total = np.zeros(self.inside.size)
        for number in range(len(self)):
            total[self.row(number)[0]] += self.parts(number)
        return total

    @cached_property
    def reached_by(self) -> Int32Array:
        """How many experiments reach each voxel, shape (m,)."""
        reached = np.bincount(self.at, minlength=self.inside.size)
        return reached.astype(np.int32)

    def statistic(self, total: Float64Array) -> Float32Array:
        """Turn sums into the statistic: the union of an ALE, else the sum itself."""
        if self.method is Method.ALE:
            return np.asarray(1 - np.exp(total), np.float32)
        return np.asarray(total, np.float32)

    def contributions_to(self, clusters: ClusterSet) -> ModeledContributions:
        """Say what each experiment adds to each cluster, and to its peak.

        Parameters
        ----------
        clusters : ClusterSet
            Clusters on the grid of the statistic, found however.

        Returns
        -------
        ModeledContributions
            By experiment and cluster.
        """
        n, k = len(clusters), len(self)
        # Labels in C order, as the entries are.
        label = clusters.labels.reshape(-1)[self.inside]
        entries = self._entries_at(np.flatnonzero(label))
        at, values = self.at[entries], self.values[entries]
        owner = np.searchsorted(self.start, entries, side="right") - 1
        share = self._shares(owner, at, values)
        cell = owner * (n + 1) + label[at]
        size = np.maximum(clusters.labelled.size, 1)

        def gathered(of: npt.NDArray[Any]) -> Float64Array:
            sums = np.bincount(cell, weights=of, minlength=k * (n + 1))
            return np.asarray(sums.reshape(k, n + 1)[:, 1:] / size)

        peak_ma = np.zeros((k, n))
        peak_share = np.zeros((k, n))
        for column, voxel in enumerate(clusters.peak_voxels):
            flat = np.ravel_multi_index(voxel, clusters.labels.shape)
            place = np.searchsorted(self.inside, flat)
            if place == self.inside.size or self.inside[place] != flat:
                continue
            here = np.flatnonzero(at == place)
            peak_ma[owner[here], column] = values[here]
            peak_share[owner[here], column] = share[here]
        return ModeledContributions(
            self.names,
            share=gathered(share),
            mean_activation=gathered(values),
            peak_share=peak_share,
            peak_activation=peak_ma,
        )

    @cached_property
    def _by_voxel(self) -> tuple[IndexArray, Int32Array]:
        """Where the entries of each voxel begin, and their numbers voxel by voxel."""
        from scipy.sparse import csr_array

        numbers = np.arange(self.at.size, dtype=np.int32)
        shape = (len(self), self.inside.size)
        turned = csr_array((numbers, self.at, self.start), shape).tocsc()
        return turned.indptr.astype(np.intp), turned.data

    def _entries_at(self, places: IndexArray) -> Int32Array:
        """Find the entries of some voxels."""
        first, entries = self._by_voxel
        n = first[places + 1] - first[places]
        steps = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        return np.asarray(entries[np.repeat(first[places], n) + steps])

    def _shares(
        self, owner: IndexArray, at: Int32Array, values: Float32Array
    ) -> Float64Array:
        """Say what share of the statistic goes without the experiment of an entry."""
        total = self.total[at]
        if self.method is Method.ALE:
            own = np.log1p(-values).astype(np.float64)
            # 1 - (1 - exp(L - l)) / (1 - exp(L)), without cancellation.
            without, whole = -np.expm1(total - own), -np.expm1(total)
            return np.asarray(1 - without / whole)
        return np.asarray(values * self.weights[owner] / total)


def find_statistic(statmap: StatMap) -> StatMap | None:
    """Find the uncorrected statistic of the test behind a map; None without one."""
    found = (statmap.results.uncorrected(statmap, value) for value in _STATISTICS)
    return next((one for one in found if one is not None), None)


def rebuild(
    results: ResultSet,
    statmap: StatMap,
    studies: Studies,
    job: Job | None = None,
) -> ModeledActivations:
    """Rebuild the statistic of a meta-analysis from its foci, and prove it.

    Parameters
    ----------
    results : ResultSet
        Whose methods text or specification tells of kernels.
    statmap : StatMap
        A map of the meta-analysis; corrected ones too.
    studies : Studies
        What was put into it.
    job : Job, optional
        Hears how far it is; may stop it.

    Returns
    -------
    ModeledActivations
        Equal to the opened statistic at every voxel of the mask, to within what float32
        rounds off (`SAME_STATISTIC`).

    Raises
    ------
    CancelledError
        When the job was cancelled.
    ResultsError
        When they do not give this statistic; the text says what differs.
    """
    job = job or Job()
    groups = {a.group for study in studies for a in study.analyses if a.included}
    if len(groups) > 1:
        raise ResultsError(
            "Two groups of studies were compared: no share of one experiment follows "
            "from its foci alone."
        )
    statistic, mask = _what_to_rebuild(statmap)
    inside = np.flatnonzero(mask.reshape(-1))
    opened = statistic.data.reshape(-1)[inside]
    grid = statistic.grid
    best: tuple[float, str] | None = None
    probes = _choose_probes(opened)
    where = np.array(np.unravel_index(inside[probes], grid.shape)).T
    for recipe in _recipes(studies, grid, opened, Kernel.told_by(results)):
        job.check()
        wrong = _differences(recipe.at(where), opened[probes])
        if wrong.any():
            told = f"{recipe.method}, {recipe.convention}"
            share = float(wrong.mean())
            best = min(best, (share, told)) if best is not None else (share, told)
            continue
        made = _build(recipe, statistic, inside, opened, job)
        if isinstance(made, ModeledActivations):
            return made
        best = (0.0, made)
    raise ResultsError(_why_not(studies, statistic, best))


def _what_to_rebuild(statmap: StatMap) -> tuple[StatMap, Mask]:
    """Return the statistic and its mask; say what is missing."""
    statistic = find_statistic(statmap)
    if statistic is None:
        raise ResultsError(
            f"{statmap.title}: shares are worked out from foci where the statistic of "
            "an ALE, MKDA or KDA (the map named stat) is at hand; it is not."
        )
    if not statistic.grid.same_as(statmap.grid):
        raise ResultsError(f"{statistic.title} lies on another grid.")
    if statistic.grid.elsewhere is not None:
        raise ResultsError(
            f"{statistic.title}: {statistic.grid.elsewhere}; an ALE, MKDA or KDA is "
            "rebuilt from foci in MNI space."
        )
    mask = statistic.mask
    if mask is None:
        raise ResultsError(
            f"{statistic.title}: nothing shows where the analysis mask ends, which the "
            "p or logp map of the same test would."
        )
    return statistic, mask


def _recipes(
    studies: Studies, grid: Grid, opened: Float32Array, kernel: Kernel
) -> Iterator[_Recipe]:
    """Go through the ways that may have led to a statistic, the likeliest first.

    Ways that come to the same are tried once.
    """
    drawn: dict[tuple[str, float], Float32Array] = {}
    tried: list[_Recipe] = []
    whole = bool((opened == np.round(opened)).all())
    for by_study in (True, False):
        for people in _PEOPLE:
            for rounds in (True, False):
                for mirrored in (False, True):
                    convention = FociConvention(rounds, mirrored, by_study, people)
                    units = _units(studies, convention)
                    for recipe in _of_units(
                        units, grid, convention, kernel, whole, drawn
                    ):
                        if not any(recipe.same_as(other) for other in tried):
                            tried.append(recipe)
                            yield recipe


def _of_units(
    units: list[_Unit],
    grid: Grid,
    convention: FociConvention,
    kernel: Kernel,
    whole: bool,
    drawn: dict[tuple[str, float], Float32Array],
) -> Iterator[_Recipe]:
    if not units:
        return
    voxels = [nearest_voxels(unit.places, grid, convention) for unit in units]

    def draw(kind: str, size: float) -> Float32Array:
        if (kind, size) not in drawn:
            make = draw_sphere if kind == "sphere" else draw_gaussian
            drawn[kind, size] = make(size, grid.voxel_size)
        return drawn[kind, size]

    spheres = [draw("sphere", kernel.radius)] * len(units)
    if whole:
        for method in (Method.MKDA, Method.KDA):
            yield _Recipe(method, convention, units, voxels, spheres)
        return
    people = [kernel.participants or unit.people for unit in units]
    if kernel.fwhm is not None:
        gaussians = [draw("gaussian", kernel.fwhm)] * len(units)
        yield _Recipe(Method.ALE, convention, units, voxels, gaussians)
    elif all(people):
        widths = [fwhm_of(n) for n in people if n]
        gaussians = [draw("gaussian", width) for width in widths]
        yield _Recipe(Method.ALE, convention, units, voxels, gaussians)
    if all(unit.people for unit in units):
        weighted = replace(convention, weighted=True)
        yield _Recipe(Method.MKDA, weighted, units, voxels, spheres)


def _choose_probes(opened: Float32Array) -> IndexArray:
    """Choose voxels to try a recipe on: the strongest, and some of all."""
    strongest = np.argsort(opened)[-_PROBES // 2 :]
    even = np.linspace(0, opened.size - 1, _PROBES // 2).astype(np.intp)
    return np.union1d(strongest, even)


def _differences(rebuilt: Float32Array, opened: Float32Array) -> BoolArray:
    """Mark where two statistics differ by more than float32 rounds off."""
    apart = np.abs(rebuilt.astype(np.float64) - opened)
    return np.asarray(apart > SAME_STATISTIC * np.abs(opened) + _CANCELLED)


def _build(
    recipe: _Recipe,
    statistic: StatMap,
    inside: IndexArray,
    opened: Float32Array,
    job: Job,
) -> ModeledActivations | str:
    """Draw all modeled activations; say what differs where they do not fit."""
    grid = statistic.grid
    places: list[Int32Array] = []
    values: list[Float32Array] = []
    for drawn in recipe.rows(grid, inside, job):
        at = np.flatnonzero(drawn)
        places.append(at.astype(np.int32))
        values.append(drawn[at])
    made = ModeledActivations(
        recipe.method,
        tuple(unit.name for unit in recipe.units),
        statistic,
        inside,
        np.cumsum([0, *(one.size for one in places)]),
        np.concatenate(places),
        np.concatenate(values),
        recipe.weights,
        recipe.convention,
    )
    rebuilt = made.statistic(made.total)
    if (n := int(_differences(rebuilt, opened).sum())) > 0:
        return f"{recipe.method}, {recipe.convention}: {n:,} voxels differ"
    apart = float(np.abs(rebuilt.astype(np.float64) - opened).max(initial=0))
    notices = tuple(_notices(made, grid))
    return replace(made, largest_difference=apart, notices=notices)


def _notices(made: ModeledActivations, grid: Grid) -> Iterable[str]:
    n, k = made.inside.size, len(made)
    yield (
        f"{made.method} rebuilt from the foci of {k:,} experiments "
        f"({made.convention}): it is the opened statistic at all {n:,} voxels of the "
        "mask."
    )
    size = float(np.prod(np.asarray(grid.voxel_size, np.float32)))
    # The root of a volume over the root of 2 is a length at 2 mm only.
    factor = size ** (1 / 3) * math.sqrt(2) / math.sqrt(size)
    if made.method is Method.ALE and not math.isclose(factor, 1, rel_tol=1e-3):
        yield (
            f"NiMARE's kernels are {factor:.2f} times as wide as those of Eickhoff et "
            "al. 2012, because voxels are not 2 mm. They are rebuilt as they were."
        )


def _why_not(
    studies: Studies, statistic: StatMap, best: tuple[float, str] | None
) -> str:
    """Say why no share can be stated."""
    used = [a for study in studies for a in study.analyses if a.included]
    if not any(a.foci for a in used):
        return "No foci are known: nothing can be rebuilt from them."
    unknown = sum(a.kernel_participants is None for a in used if a.foci)
    told = (
        f"{statistic.title} could not be rebuilt from the foci, so no share is worked "
        "out from them"
    )
    if unknown and best is None:
        return (
            f"{told}: {unknown:,} analyses state no sample size, which the kernel of "
            "an ALE follows from."
        )
    nearest = ""
    if best is not None:
        share, what = best
        nearest = (
            f"; nearest: {what}, which differs at {short_percent(100 * share)} of the "
            "voxels tried"
            if share
            else f"; nearest: {what}"
        )
    return (
        f"{told}: ALE, MKDA and KDA were tried as NiMARE computes them{nearest}. Other "
        "foci, sample sizes, kernels, a mask or another program were used."
    )
