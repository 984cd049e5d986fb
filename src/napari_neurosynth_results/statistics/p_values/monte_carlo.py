"""A p from permutations: how fine its grain is, and how sure it can be."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import PFormula
from napari_neurosynth_results.maps.names import stated_iterations
from napari_neurosynth_results.maps.results import (
    ResultSet,
    result_of,
    text_of_corrections,
)
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.p_values.conversion import (
    convert_to_log_p,
    short_p,
)
from napari_neurosynth_results.statistics.p_values.significance import PSource

Said = TypeVar("Said")

#: How far float32 may carry p from a multiple of 1 / iterations, relative to p.
_FLOAT32 = 4e-6
#: The same for files that hold scaled whole numbers: absolute, and relative to p.
_ROUGHLY = 0.02, 1e-3
#: The same at both ends of the scale: near 1 float32 has the last bit of 1.
_ENDS = 2.0**-23, 1e-3
_FEWEST_ITERATIONS, _MOST_ITERATIONS = 10, 1_000_000
#: The last bit of p near 1 leaves a choice; of more there is nothing to choose.
_MOST_CANDIDATES = 100
#: Share of probability outside a 95 % interval.
_OUTSIDE = 0.05
#: Fewer voxels with the smallest p need no word; fewer values show no grain.
_MANY_VOXELS, _FEWEST_VALUES = 100, 5


@dataclass(frozen=True)
class NullDistribution:
    """What a p was counted in: the maxima, or values, of so many iterations.

    Attributes
    ----------
    iterations : int
        How many there are.
    adds_one : bool
        Whether the data themselves were counted too, p = (b + 1) / (n + 1), as
        NiMARE's PermutedOLS does. Else p = b / n, cut to 1 / n and 1 - 1 / n, as in
        `nimare.stats.null_to_p` (NiMARE 0.22.1): then 1 / n means that none or one was
        as large, and 1 - 1 / n that all were or all but one.

    Examples
    --------
    >>> null = NullDistribution(200)
    >>> null.write(0.015), null.write(0.005), null.write(0.995)
    ('.015', '<= .005', '>= .995')
    >>> NullDistribution(200, adds_one=True).write(1 / 201)
    '.00498'
    """

    iterations: int
    adds_one: bool = False

    def __str__(self) -> str:
        """Count the iterations, in words."""
        return f"{self.iterations:,} iterations"

    @property
    def smallest_p(self) -> float:
        """The smallest p that the iterations can give."""
        return 1 / (self.iterations + self.adds_one)

    def fitted_to(self, p: Float64Array) -> NullDistribution:
        """Count the data too, or leave them out, as it takes to give some p.

        In a run of PermutedOLS both are done: the data count for voxels, not clusters.
        """
        other = replace(self, adds_one=not self.adds_one)
        mine, others = (round(1 / null.smallest_p) for null in (self, other))
        known = p[np.isfinite(p)]
        if _are_parts(known, mine, 0, _FLOAT32):
            return self
        return other if _are_parts(known, others, 0, _FLOAT32) else self

    def exceedances(self, p: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Return how many null values may have been as large: at least, at most."""
        n = self.iterations
        if self.adds_one:
            b = np.rint(p * (n + 1)) - 1
            return b, b
        b = np.rint(p * n)
        return np.where(b == 1, 0, b), np.where(b == n - 1, n, b)

    def intervals(self, p: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Return the intervals that hold the true p in at least 95 of 100 cases.

        Clopper and Pearson 1934, Biometrika 26, by quantiles of the beta distribution.
        Where p does not tell how many null values were as large, the interval reaches
        from the lower end of the fewest to the upper end of the most.

        Parameters
        ----------
        p : ndarray
            NaN where unknown.

        Returns
        -------
        low, high : ndarray
            NaN where p is unknown.
        """
        from scipy.special import betaincinv

        n = self.iterations
        fewest, most = self.exceedances(p)
        # No beta distribution has a parameter of 0: none and all are set apart.
        below = betaincinv(np.maximum(fewest, 1), n - fewest + 1, _OUTSIDE / 2)
        above = betaincinv(most + 1, np.maximum(n - most, 1), 1 - _OUTSIDE / 2)
        return np.where(fewest <= 0, 0, below), np.where(most >= n, 1, above)

    def relation(self, p: float) -> str:
        """Return how p stands to what is known: ``=``, ``<=`` or ``>=``."""
        if not self.fitted_to(np.array([p])).adds_one:
            n, (absolute, relative) = self.iterations, _ENDS
            for end, sign in ((p, "<="), (1 - p, ">=")):
                if abs(end * n - 1) < relative + absolute * n * (sign == ">="):
                    return sign
        return "="

    def write(self, p: float) -> str:
        """Write p with its relation, unless it is an equal sign."""
        relation = self.relation(p)
        return short_p(p) if relation == "=" else f"{relation} {short_p(p)}"


def write_counted_p(p: float, null: NullDistribution | None) -> str:
    """Write a p that may have been counted in iterations, empty for NaN.

    >>> write_counted_p(0.005, NullDistribution(200)), write_counted_p(0.005, None)
    ('<= .005', '.005')
    """
    if math.isnan(p):
        return ""
    return null.write(p) if null is not None else short_p(p)


@dataclass(frozen=True)
class MonteCarlo:
    """A p that was counted in Monte Carlo iterations.

    Attributes
    ----------
    p : float
        A multiple of 1 / iterations, or of 1 / (iterations + 1) with `adds_one`.
    iterations : int
        Null maxima that p was counted in.
    adds_one : bool
        Whether the data themselves were counted too: see `NullDistribution`.

    Examples
    --------
    >>> print(MonteCarlo(0.015, 200))
    p_FWE = .015 (.0031 to .0432), 200 iterations
    >>> print(MonteCarlo(0.005, 200))
    p_FWE <= .005 (0 to .0275), none or one of 200 iterations as large
    >>> MonteCarlo(0.04, 200).borderline(0.05)
    True
    """

    p: float
    iterations: int
    adds_one: bool = False

    @property
    def null(self) -> NullDistribution:
        """What p was counted in."""
        return NullDistribution(self.iterations, self.adds_one)

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval (Clopper and Pearson 1934)."""
        return float(self.null.intervals(np.array([self.p]))[0][0])

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval (Clopper and Pearson 1934)."""
        return float(self.null.intervals(np.array([self.p]))[1][0])

    def borderline(self, alpha: float) -> bool:
        """Whether the interval contains alpha: other iterations might decide else."""
        return self.low <= alpha <= self.high

    def __str__(self) -> str:
        """Return p with its interval, and what the ends of the scale mean."""
        relation = self.null.relation(self.p)
        grain = {
            "<=": f"none or one of {self.null} as large",
            ">=": f"all or all but one of {self.null} as large",
        }.get(relation, str(self.null))
        interval = f"{short_p(self.low)} to {short_p(self.high)}"
        return f"p_FWE {relation} {short_p(self.p)} ({interval}), {grain}"


# --- what a text or a server says of a correction ---------------------------------

#: At which p clusters were formed, as NiMARE 0.22.1 says it: `CBMAEstimator` and
#: `PermutedOLS`, and without the first words `ALESubtraction`, which does since 0.20.
_FORMED = re.compile(
    r"(?:voxel-level threshold of|connectivity at) p\s*<\s*"
    r"(\d*\.?\d+(?:[eE][-+]?\d+)?)"
)
#: In every methods text that NiMARE wrote; the first was that of 0.1.0.
_RELEASE = re.compile(r"NiMARE\s+v?(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class StatedCorrection:
    """What a methods text, or a server, says of a Monte Carlo correction.

    Attributes
    ----------
    iterations : int or None
        None when nothing, or more than one number, is said.
    forming_p : float or None
        The uncorrected p at which clusters were formed.
    release : tuple of int or None
        That of NiMARE.
    permutations : frozenset of int
        All numbers of iterations, those of the uncorrected map too.
    """

    iterations: int | None = None
    forming_p: float | None = None
    release: tuple[int, ...] | None = None
    permutations: frozenset[int] = frozenset()


def read_statement(
    methods: str, specification: Mapping[str, object]
) -> StatedCorrection:
    """Read what is said of a Monte Carlo correction; empty where nothing is.

    Parameters
    ----------
    methods : str
        NiMARE's methods text.
    specification : mapping
        That of Neurosynth Compose, which is surer: what it does not name may stand
        under the key ``**kwargs`` of its arguments.
    """
    text, told = text_of_corrections(methods), _read_corrector(specification)
    return StatedCorrection(
        iterations=told.iterations or _only(stated_iterations(text)),
        forming_p=told.forming_p or _only(map(float, _FORMED.findall(text))),
        release=_only(
            tuple(map(int, numbers)) for numbers in _RELEASE.findall(methods)
        ),
        permutations=frozenset(stated_iterations(methods)),
    )


def _only(found: Iterable[Said]) -> Said | None:
    """Return what is said, None where several things are."""
    different = set(found)
    return different.pop() if len(different) == 1 else None


def _read_corrector(specification: Mapping[str, object]) -> StatedCorrection:
    """Read Compose's corrector; its runner hands ``**kwargs`` on as arguments."""
    corrector = specification.get("corrector")
    args = corrector.get("args") if isinstance(corrector, Mapping) else None
    if not isinstance(args, Mapping):
        return StatedCorrection()
    more = args.get("**kwargs")
    args = {**args, **(more if isinstance(more, Mapping) else {})}
    if args.get("method") != "montecarlo":
        return StatedCorrection()
    count, p = _number(args.get("n_iters")), _number(args.get("voxel_thresh"))
    return StatedCorrection(
        int(count) if count >= 1 and count.is_integer() else None,
        p if 0 < p < 1 else None,
    )


def _number(value: object) -> float:
    """Return a number, also of a text that is one; NaN for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def statement_of(statmap: StatMap) -> StatedCorrection:
    """Return what is said of the correction of a map's own run.

    Empty when the text beside the map is that of another run: it states another number
    of iterations than the values, or, where these do not tell, there are several runs.
    """
    results = result_of(statmap)
    stated, null = _statement(results), find_null_distribution(statmap)
    known = stated.iterations is not None
    if known and null is not None and null.iterations == stated.iterations:
        return stated
    if _n_runs(results) > 1 or (known and null is not None):
        return StatedCorrection()
    return stated


def _statement(results: ResultSet) -> StatedCorrection:
    return results.remember(
        "stated correction",
        lambda: read_statement(results.methods, results.about.specification),
    )


def _n_runs(results: ResultSet) -> int:
    return len({m.name.run for m in results.maps.values() if _is_counted(m) and m.name})


def _is_counted(statmap: StatMap) -> bool:
    return statmap.name is not None and statmap.name.method == "montecarlo"


def statement_notices(statmap: StatMap) -> list[str]:
    """Say where the text beside a map is not that of its run."""
    if not _is_counted(statmap):
        return []
    null, stated = find_null_distribution(statmap), _statement(result_of(statmap))
    if stated.iterations is None or (null and null.iterations == stated.iterations):
        return []
    told = f"The methods text states {stated.iterations:,} iterations"
    if null is None:
        return [f"{told}, but not of this map: how sure its p are is not known."]
    return [f"{told}, the values of this map say {null.iterations:,}: these are taken."]


# --- what the values say ----------------------------------------------------------


def find_null_distribution(statmap: StatMap) -> NullDistribution | None:
    """Find what the p of a map were counted in; so many for all maps of a run.

    Read off the values: NiMARE gives what beats no null maximum p = 1 - 1 / n, the
    floor, and every p is a whole number of n-ths (NiMARE 0.22.1, `nimare.correct`).
    Where no map of the run shows the floor, the methods text or Compose's specification
    states n: unless the p are no n-ths, or it might speak of another run.

    Parameters
    ----------
    statmap : StatMap
        Any map.

    Returns
    -------
    NullDistribution or None
        None for other maps, and when nobody knows.
    """
    if not _is_counted(statmap) or statmap.name is None:
        return None
    results = statmap.results
    null = results.remember(
        ("null distribution", *statmap.name.run), lambda: _find_null(statmap)
    )
    if null is None:
        return None
    return results.remember(
        (statmap.key, "null distribution"), lambda: _as_counted(statmap, null)
    )


def _as_counted(statmap: StatMap, null: NullDistribution) -> NullDistribution:
    # One that cannot be read is among the problems of its set.
    with suppress(ResultsError):
        return null.fitted_to(np.array([PSource(statmap).smallest_p()]))
    return null


def null_distribution_beside(statmap: StatMap) -> NullDistribution | None:
    """Find what the Monte Carlo corrections beside any map were counted in."""
    beside = _counted_beside(statmap)
    return find_null_distribution(beside[0]) if beside else None


def _counted_beside(statmap: StatMap) -> list[StatMap]:
    """List the Monte Carlo maps of a run that nobody has to wait for, its own first."""
    run = statmap.results.run_of(statmap, listed=True)
    beside = [m for m in run if _is_counted(m) and m.at_hand and m is not statmap]
    return [statmap, *beside] if _is_counted(statmap) else beside


def _find_null(statmap: StatMap) -> NullDistribution | None:
    stated = _statement(result_of(statmap)).iterations
    own: Float64Array = np.empty(0)
    for one in _counted_beside(statmap):
        try:
            p = _counted_p(one)
        except ResultsError:
            continue  # It is among the problems of its set.
        if one is statmap:
            own = p
        if (n := _read_floor(p)) is not None:
            # The largest p of those below 1 is n / (n + 1) as well.
            adds_one = stated == n - 1
            return NullDistribution(n - adds_one, adds_one)
    if stated is None:
        return None
    if _n_runs(result_of(statmap)) > 1:
        # The text may be that of the other: only a p of one n-th speaks for it.
        tells = own.size and abs(own[0] * stated - 1) < _FLOAT32
        return NullDistribution(stated) if tells else None
    for null in (NullDistribution(stated), NullDistribution(stated, True)):
        if _are_parts(own, stated + null.adds_one, 0, _FLOAT32):
            return null
    return NullDistribution(stated) if _are_parts(own, stated, *_ROUGHLY) else None


def _counted_p(statmap: StatMap) -> Float64Array:
    """Return the different p of a map below 1, ascending."""
    source = PSource(statmap)
    if not source.kind.row.says_p_alone:
        return np.empty(0)
    values = source.map.data[np.isfinite(source.map.data) & (source.map.data != 0)]
    # Both signs of a two-tailed z.
    values = np.unique(np.abs(values) if source.both_directions else values)
    log_p = convert_to_log_p(values, source.kind, source.tail)
    return np.unique(np.exp(log_p[(log_p < 0) & np.isfinite(log_p)]))


def _read_floor(p: Float64Array) -> int | None:
    """Return n if the largest p is 1 - 1 / n, and all are n-ths."""
    gap = 1 - float(p[-1]) if p.size else 0.0
    # NiMARE's z and logp were made of a p in float32: near 1 its last bit is lost.
    error = max(gap * _FLOAT32, 2.0**-24)
    if gap <= error:
        return None
    least, most = 1 / (gap + error), 1 / (gap - error)
    candidates = range(math.ceil(least - 1e-6), math.floor(most + 1e-6) + 1)
    if len(candidates) > _MOST_CANDIDATES:
        return None
    fits = [
        n
        for n in candidates
        if _FEWEST_ITERATIONS <= n <= _MOST_ITERATIONS and _are_parts(p, n, 0, _FLOAT32)
    ]
    # Nobody runs 9,997 of them.
    return max(fits, key=_roundness, default=None)


def _roundness(n: int) -> int:
    return len(str(n)) - len(str(n).rstrip("0"))


def _are_parts(p: Float64Array, n: int, absolute: float, relative: float) -> bool:
    """Whether all p are whole numbers of n-ths, as well as a file holds them."""
    parts = p * n
    off: npt.NDArray[np.float64] = np.abs(parts - np.rint(parts))
    return bool((off <= absolute + relative * np.maximum(parts, 1)).all())


# --- many voxels at the smallest p ------------------------------------------------


@dataclass(frozen=True)
class SharedSmallestP:
    """Voxels that share the smallest p which the permutations of a map can give.

    Attributes
    ----------
    n_voxels : int
        How many there are.
    permutations : int
        How many were made.
    is_subtraction : bool
        Whether the map is an ALE subtraction.

    Examples
    --------
    >>> print(SharedSmallestP(1200, 200, False))
    1,200 voxels share the smallest p that 200 permutations can give (.005)
    """

    n_voxels: int
    permutations: int
    is_subtraction: bool

    def __str__(self) -> str:
        """Count the voxels, in words."""
        return (
            f"{self.n_voxels:,} voxels share the smallest p that {self.permutations:,} "
            f"permutations can give ({short_p(1 / self.permutations)})"
        )

    @property
    def caution(self) -> str:
        """What follows, in one sentence or two."""
        told = f"{self}: which of them is stronger nobody knows."
        if not self.is_subtraction:
            return told
        return (
            f"{told} NiMARE 0.22.1's ALE subtraction gives this p also where one "
            "experiment alone contributes, because it misses ties: look how many "
            "experiments are behind a cluster before it is reported."
        )


def find_shared_smallest_p(statmap: StatMap) -> SharedSmallestP | None:
    """Find out whether many voxels share the smallest p that permutations can give.

    Seen in the values: all p are whole parts of the smallest one. Of an FDR-corrected
    map the uncorrected one tells, else its smallest q, which is that p times tests over
    voxels that share it. Maps that are corrected for family-wise error are left out:
    being beyond all null maxima is what makes a voxel significant there.

    Parameters
    ----------
    statmap : StatMap
        Any map.

    Returns
    -------
    SharedSmallestP or None
        None when few do, and for maps whose p was not counted by voxel.

    Raises
    ------
    ResultsError
        When a map cannot be read.
    """
    return statmap.results.remember(
        (statmap.key, "shared smallest p"), lambda: _find_shared(statmap)
    )


def _find_shared(statmap: StatMap) -> SharedSmallestP | None:
    source = PSource(statmap)
    if statmap.correction not in (None, "FDR") or not source.has_p:
        return None
    if not source.kind.row.says_p_alone:
        return None
    if statmap.correction:
        return _shared_before_fdr(source)
    smallest, n_voxels = _strongest_voxels(source)
    n = round(1 / smallest) if smallest > 1 / _MOST_ITERATIONS / 2 else 0
    if n_voxels < _MANY_VOXELS or n < _FEWEST_ITERATIONS:
        return None
    p = _counted_p(statmap)
    # Where the file holds 1 - p, small p have the last bit of 1.
    absolute = n * 2.0**-23 if source.kind.row.p is PFormula.COMPLEMENT else 0
    if p.size < _FEWEST_VALUES or not _are_parts(p, n, absolute, _FLOAT32):
        return None
    return SharedSmallestP(n_voxels, n, _is_subtraction(statmap))


def _shared_before_fdr(source: PSource) -> SharedSmallestP | None:
    """Look at the uncorrected map, else go back from q to p."""
    statmap = source.statmap
    test = statmap.results.uncorrected(statmap)
    if test is not None and test.at_hand and test.grid.same_as(statmap.grid):
        return find_shared_smallest_p(test)
    method = statmap.name.method if statmap.name else None
    q, n_voxels = _strongest_voxels(source)
    if n_voxels < _MANY_VOXELS or statmap.mask is None or method != "indep" or q >= 1:
        return None
    # Benjamini and Hochberg: q = p * tests / rank, and the last of equal ranks counts.
    p = q * n_voxels / int(statmap.mask.sum())
    n = round(1 / p)
    stated = _statement(result_of(statmap)).permutations
    known = n in stated if stated else True
    whole = _FEWEST_ITERATIONS <= n <= _MOST_ITERATIONS and abs(p * n - 1) < _FLOAT32
    if not (known and whole):
        return None
    return SharedSmallestP(n_voxels, n, _is_subtraction(statmap))


def _strongest_voxels(source: PSource) -> tuple[float, int]:
    """Return the smallest p, and how many voxels have it."""
    strength = source.map.data
    if source.kind.row.small_is_strong:
        strongest = np.min(strength, where=strength > 0, initial=1)
    else:
        strength = np.abs(strength) if source.both_directions else strength
        strongest = np.nanmax(strength, initial=0)
    log_p = convert_to_log_p(np.array([strongest]), source.kind, source.tail)
    n_voxels = int(np.count_nonzero(strength == strongest))
    return math.exp(float(log_p[0])), n_voxels if strongest > 0 else 0


def _is_subtraction(statmap: StatMap) -> bool:
    return statmap.name is not None and "minus" in statmap.name.contrast.lower()
