"""One- or two-tailed: measured on a map's siblings, read off its name as a last resort.

A NiMARE z says p <= .05 at 1.645 in some files and at 1.960 in others. Where the p or
logp map of the same test exists, inverting z against it settles the question. The table
of names was made by doing that with NiMARE 0.22.1 for every estimator and corrector.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import (
    P_VALUES,
    VALUE_KINDS,
    MapKind,
    PFormula,
    Tail,
)
from napari_neurosynth_results.maps.statmap import StatMap

#: Contrasts that NiMARE tests in both directions (MKDAChi2, ALESubtraction).
_TWO_TAILED_CONTRASTS = frozenset(
    {"association", "uniformity", "specificity", "consistency", "group1MinusGroup2"}
)
#: BalancedALESubtraction: each direction has its own one-tailed p.
_TWO_ONE_TAILED_CONTRASTS = frozenset({"balancedGroup1MinusGroup2"})
#: Beside these, group maps are MKDAChi2's, which are two-tailed; ALESubtraction's are
#: those of single ALEs.
_TWO_TAILED_GROUPS = frozenset({"association", "uniformity"})
#: Enough voxels to tell the two conversions apart, few enough to cost nothing.
_SAMPLE = 5000
#: NiMARE writes float32; a conversion that fits leaves less than this in z.
_FITS = 0.02
#: Fewer negative values than this tell nothing.
_ENOUGH = 20
#: Up to here 1 - p has the digits in float32.
_PRECISE_Z = 4


def found_tail(statmap: StatMap) -> tuple[Tail, bool]:
    """Decide the tail of a map, and whether that is a guess.

    The tail of a p, logp or t map is that of the test behind it: of the uncorrected z
    beside it. (NiMARE converts the p of FDR and Bonferroni to z two-tailed whatever the
    test was, so their own z does not tell.)

    Parameters
    ----------
    statmap : StatMap
        Any map of a result set.

    Returns
    -------
    tail : Tail
        ``Tail.NONE`` for kinds that have none.
    guess : bool
        Whether nothing but a habit or the signs of the values told.

    Raises
    ------
    ResultsError
        When a map that has to be looked at cannot be read.
    """
    if not statmap.kind.has_tail:
        return Tail.NONE, False
    if (stated := statmap.file.reading.tail) is not None:
        return stated, False
    measured = _measure_tail(statmap)
    if measured is not None:
        return measured, False
    if (test := _find_test(statmap)) is not None:
        return test.tail, test.tail_is_guess
    return _tail_by_name(statmap)


def negatives_count(statmap: StatMap) -> bool:
    """Whether the test behind a map looked at the negative direction at all.

    A one-tailed p near 1 is no evidence for the opposite effect, however negative its
    z. ALESubtraction with inference maps and BalancedALESubtraction differ: they give
    each direction a one-tailed p of its own, so that a negative z may have a small p.

    Parameters
    ----------
    statmap : StatMap
        Any map of a result set.

    Returns
    -------
    bool
        True as well for kinds that have no tail.
    """
    row = statmap.kind.row
    if not statmap.kind.has_tail or (row.p.states_p and row.signed):
        return True
    test = statmap.results.uncorrected(statmap, "z") or statmap
    if test.tail is not Tail.ONE:
        return True
    if (partner := _partner(test)) is not None:
        z, log_p = _sample(test, partner)
        if (z < 0).any():
            return bool(np.median(log_p[z < 0]) < np.log(0.5))
    return test.name is not None and test.name.contrast in _TWO_ONE_TAILED_CONTRASTS


def _find_test(statmap: StatMap) -> StatMap | None:
    """Find the z or t that a map belongs to, None when it is not at hand."""
    if statmap.name is None:
        return None
    by_p = _corrected_by_p(statmap)
    if statmap.kind is MapKind.Z and (
        by_p or not statmap.correction or statmap.name.contrast in _TWO_TAILED_CONTRASTS
    ):
        return None
    find = statmap.results.uncorrected
    test = find(statmap, "z") or find(statmap, "t")
    if test is None and not by_p:
        test = statmap.results.siblings(statmap).get("z")
    return None if test is statmap else test


def _corrected_by_p(statmap: StatMap) -> bool:
    """Whether p was corrected after the test, by FDR or Bonferroni."""
    return statmap.correction == "FDR" or (
        statmap.name is not None and statmap.name.method == "bonferroni"
    )


def _partner(statmap: StatMap) -> StatMap | None:
    """Find the map that states the p of a z map, on the same grid and unbroken."""
    siblings = statmap.results.siblings(statmap)
    for value in P_VALUES:
        partner = siblings.get(value)
        if partner is not None and partner.grid.same_as(statmap.grid):
            with suppress(ResultsError):
                # Read here, because a partner that cannot be read is no partner.
                partner.data  # noqa: B018
                return partner
    return None


def _measure_tail(statmap: StatMap) -> Tail | None:
    """Compare a z or t map with the p of the same test, None when that cannot tell."""
    by_value = statmap.kind.row.p.by_tail and not statmap.kind.row.p.states_p
    partner = _partner(statmap) if by_value else None
    if partner is None:
        return None
    if statmap.kind is MapKind.Z:
        return tail_between(statmap, partner)
    return _tail_by_negatives(statmap, partner)


def _tail_by_negatives(statmap: StatMap, partner: StatMap) -> Tail | None:
    """Ask a t map whose degrees of freedom may differ whether a negative t counts."""
    t, log_p = _sample(statmap, partner)
    negative = log_p[t < 0]
    if negative.size < _ENOUGH:
        return None
    return Tail.ONE if float(np.median(negative)) > np.log(0.5) else Tail.TWO


def tail_between(statmap: StatMap, partner: StatMap) -> Tail | None:
    """Invert a z map against a p or logp map of the same test.

    Parameters
    ----------
    statmap : StatMap
        A z map.
    partner : StatMap
        The p or logp map, on the same grid.

    Returns
    -------
    Tail or None
        None when they do not fit, or no voxel tells.

    Raises
    ------
    ResultsError
        When a map cannot be read.
    """
    z, log_p = _sample(statmap, partner)
    if z.size == 0:
        return None
    error, tail = min((float(np.median(off)), tail) for off, tail in _off(z, log_p))
    return tail if error < _FITS else None


def _off(
    z: npt.NDArray[np.float64], log_p: npt.NDArray[np.float64]
) -> tuple[tuple[npt.NDArray[np.float64], Tail], ...]:
    """Return how far each z is from what its p means, by every way p may count."""
    from scipy.special import ndtri_exp

    one, two = -ndtri_exp(log_p), -ndtri_exp(log_p - np.log(2))
    return (
        (np.abs(one - z), Tail.ONE),
        # One-tailed in the direction of the sign: see negatives_count.
        (np.abs(one - np.abs(z)), Tail.ONE),
        (np.abs(two - np.abs(z)), Tail.TWO),
    )


def follows_p(statmap: StatMap, partner: StatMap) -> bool:
    """Whether a z map and the p beside it say the same in every voxel that matters.

    Where they do not, no height of z keeps the voxels that a p keeps.

    Parameters
    ----------
    statmap : StatMap
        A z map.
    partner : StatMap
        What states its p, on the same grid.

    Returns
    -------
    bool
        True as well where no voxel tells.

    Raises
    ------
    ResultsError
        When a map cannot be read.
    """
    z, log_p = _sample(statmap, partner, every=True)
    # Beyond, p of float32 says little; below, nobody thresholds.
    usable = (np.abs(z) > 1) & (np.abs(z) < _PRECISE_Z)
    z, log_p = z[usable], log_p[usable]
    if z.size == 0:
        return True
    off = min((off for off, _ in _off(z, log_p)), key=lambda off: float(np.median(off)))
    return not (off > _FITS * np.abs(z)).any()


def _sample(
    statmap: StatMap, partner: StatMap, *, every: bool = False
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Pick z and ln p where both conversions are defined and precise."""
    z, stated = statmap.data, partner.data
    # As nibabel gives them: nothing is copied.
    together = z.flags.f_contiguous and stated.flags.f_contiguous
    order: Literal["F", "C"] = "F" if together else "C"
    z, stated = z.ravel(order), stated.ravel(order)
    size = np.abs(z)
    # A z near 0 belongs to p near .5 or 1, where float32 says little.
    strong = np.flatnonzero((size > 0.5) & (size < 30))
    log_p = _natural_log_p(stated[strong], partner.kind.row.p)
    usable = np.flatnonzero(np.isfinite(log_p) & (log_p < 0))
    chosen = usable[:: 1 if every else max(1, usable.size // _SAMPLE)]
    return z[strong[chosen]].astype(np.float64), log_p[chosen]


def _natural_log_p(
    stated: npt.NDArray[np.float32], formula: PFormula
) -> npt.NDArray[np.float64]:
    values = stated.astype(np.float64)
    if formula is PFormula.LOG10:
        return np.asarray(-values * np.log(10))
    if formula is PFormula.LN:
        return np.asarray(-values)
    if formula is PFormula.COMPLEMENT:
        values = 1 - values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(values)


def _tail_by_name(statmap: StatMap) -> tuple[Tail, bool]:
    """Decide by NiMARE's habits; guess by the signs when nothing else is known."""
    name = statmap.name
    signs = Tail.TWO if statmap.has_negatives else Tail.ONE
    if name is None:
        return signs, True
    if statmap.kind is MapKind.T:
        return Tail.TWO, False
    if statmap.kind is MapKind.Z and _corrected_by_p(statmap):
        return Tail.TWO, False
    if name.contrast in _TWO_ONE_TAILED_CONTRASTS:
        return Tail.ONE, False
    if name.contrast in _TWO_TAILED_CONTRASTS:
        return Tail.TWO, False
    beside = statmap.results.run_of(statmap, listed=True)
    values = {other.name.value for other in beside if other.name}
    contrasts = {other.name.contrast for other in beside if other.name}
    if name.contrast in {"group1", "group2"} and contrasts & _TWO_TAILED_GROUPS:
        return Tail.TWO, False
    # Image-based estimators test both directions by default.
    if any(VALUE_KINDS[value].row.image_based for value in values):
        return Tail.TWO, True
    return signs, True
