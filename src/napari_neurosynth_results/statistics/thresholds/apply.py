"""What the user asked -> which voxels survive, and a sentence that says so.

A probability is never applied to a z map by a formula where the p or logp map of the
same test exists, and never at all where it would mean nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.arrays import IndexArray, SparseVolume, position_type
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Voxels
from napari_neurosynth_results.maps.kinds import Tail
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.p_values.conversion import (
    P_TOLERANCE,
    convert_to_log_p,
    height_at_log_p,
    name_p,
    short_p,
)
from napari_neurosynth_results.statistics.p_values.directions import (
    Sides,
    check_direction_tested,
    choose_sides,
    choose_tail,
    is_tail_guessed,
)
from napari_neurosynth_results.statistics.p_values.multiple_testing import (
    FDR_METHODS,
    count_directions,
    critical_log_p,
    find_tested_voxels,
)
from napari_neurosynth_results.statistics.p_values.significance import PSource
from napari_neurosynth_results.statistics.thresholds.masks import Masking, as_masking
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

Parts = npt.NDArray[np.uint8]

#: The number of the negative side; that of the positive one is 1.
_NEGATIVE = 2
#: Voxels that are looked at in one go: what fits into the processor's cache.
_AT_ONCE = 1 << 18
_SMALLEST_Z = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class ThresholdResult:
    """What a threshold did to a map.

    Attributes
    ----------
    above : SparseVolume
        1 above in the positive direction, 2 in the negative one.
    height : float
        In the map's unit; for a p map the largest p kept. NaN when nothing survives a
        q or when the height differs from voxel to voxel.
    p : float
        The p that the height means by the map's own values, a corrected one for a
        corrected map; NaN when unknown, and it may underflow to 0.
    n_tests : int or None
        Voxels tested, for q and Bonferroni.
    tail : Tail
        How the p counts.
    sentence : str
        Height, p, tail and mask, in words.
    masking : Masking, optional
        Where was looked.
    caution : str
        What is doubtful about that place for tests that were counted; a sentence.
    """

    above: SparseVolume
    height: float
    p: float
    n_tests: int | None
    tail: Tail
    sentence: str
    masking: Masking | None = None
    caution: str = ""

    @property
    def parts(self) -> Parts:
        """The same as a volume, uint8 (i, j, k); 0 is below."""
        return self.above.volume

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence


def apply_threshold(
    source: PSource, threshold: Threshold, mask: Mask | Masking | None = None
) -> ThresholdResult:
    """Find the voxels of a map that survive a threshold.

    Parameters
    ----------
    source : PSource
        Any map but a label map, and what states its p; cluster-level corrected maps are
        refused, because they carry one value a cluster.
    mask : ndarray of bool or Masking, optional
        Look, and count tests, only here and in the analysis mask.

    Returns
    -------
    ThresholdResult
        Which voxels survive and what that means.

    Raises
    ------
    ResultsError
        When the question means nothing for the map; the text says why.
    """
    statmap = source.statmap
    if not (criteria := statmap.kind.row.criteria):
        raise ResultsError(
            f"{statmap.title}: {statmap.kind.row.called} cannot be thresholded."
        )
    if threshold.criterion not in criteria:
        raise ResultsError(
            f"{statmap.title} holds {statmap.kind.meaning}: no test belongs to it. "
            "Threshold it by value."
        )
    if statmap.level == "cluster":
        raise ResultsError(
            f"{statmap.title}: each cluster carries one value, its own p. A height or "
            "a second correction would mean nothing; ask for p."
        )
    source.evidence.check(statmap)
    if threshold.value is None or statmap.kind.row.small_is_strong:
        source.check_values()
    masking = as_masking(mask, statmap.grid)
    sides = choose_sides(statmap, threshold.tail)
    tail = choose_tail(source, sides)
    n_tests = None
    if threshold.value is not None:
        above, height, log_p = _by_value(source, threshold, sides, tail)
    else:
        check_direction_tested(source, threshold.tail)
        log_p, n_tests = _log_alpha(source, threshold, masking, sides, tail)
        above, height = _by_log_p(source, log_p, sides, tail)
    p = _requested_p(statmap, threshold, log_p)
    if masking is not None:
        above = above.within(masking.mask)
    corrected = threshold.q is not None or threshold.bonferroni is not None
    means = [str(threshold)] if corrected else []
    # The height of a p map has said it, unless it underflowed.
    if math.isfinite(log_p) and not (statmap.kind.row.small_is_strong and height > 0):
        means.append(p_in_words(statmap, log_p))
    if statmap.correction_method:
        means.append(statmap.correction_method)
    if math.isnan(height) and not source.follows_height:
        means.append(f"by its {source.kind} map")
    if n_tests is not None:
        means.append(counted(n_tests, "test"))
    if tail is not Tail.NONE:
        both = corrected and count_directions(source, sides) > 1
        means.append(statmap.say_tail(tail) + " in each direction" * both)
        if is_tail_guessed(source, threshold.tail):
            means.append("a guess")
    if told := dof_in_words(source):
        means.append(told)
    sentence = threshold_sentence(
        statmap, height, means, sides=sides, strict=threshold.strict
    )
    caution = ""
    if masking is not None:
        sentence += f", {masking}"
        if corrected:
            short, caution = masking.caution(statmap)
            sentence += f" ({short})" if short else ""
            if n_tests == (kept := above.where.size) and kept > 1:
                caution = f"{caution} {_all_survive(kept)}".strip()
    return ThresholdResult(
        above=above,
        height=p if statmap.kind.row.small_is_strong else height,
        p=p,
        n_tests=n_tests,
        tail=tail,
        sentence=sentence,
        masking=masking,
        caution=caution,
    )


def _by_value(
    source: PSource, threshold: Threshold, sides: Sides, tail: Tail
) -> tuple[SparseVolume, float, float]:
    """Return what is above a height, the height, and the log p that it means."""
    height = threshold.value
    assert height is not None
    if height <= 0:
        raise ResultsError(
            "A height must be above 0. For negative values ask for the negative tail."
        )
    statmap, log_p = source.statmap, _log_p_of_height(source, height, tail)
    if statmap.kind.row.small_is_strong:
        return _find_small_p(statmap, height, threshold.strict), height, log_p
    above = _find_beyond(statmap, np.float32(height), sides, threshold.strict)
    return above, height, log_p


def _find_beyond(
    statmap: StatMap, height: np.float32, sides: Sides, strict: bool = False
) -> SparseVolume:
    """Find what is as strong as a height, in the rows of voxels that reach it."""
    data, (lowest, highest) = statmap.data, statmap.row_ends
    # Not the other way round: where there is a NaN no comparison holds.
    beneath = highest < height if sides[0] else lowest > -height
    if all(sides):
        beneath &= lowest > -height
    reaching = np.logical_not(beneath).nonzero()[0].astype(position_type(data.shape))
    n = reaching.dtype.type(data.shape[0])
    rows, step = data.reshape(-1, order="F").reshape(-1, n), _AT_ONCE // n + 1
    found = []
    for start in range(0, reaching.size or 1, step):
        some = reaching[start : start + step]
        at, part = _strong_among(rows.take(some, axis=0), height, sides, strict)
        at = at.astype(some.dtype)
        # From the place among these rows to the place in the volume.
        some -= np.arange(some.size, dtype=some.dtype)
        at += (some * n).take(at // n)
        found.append((at, part))
    where, parts = map(np.concatenate, zip(*found, strict=True))
    return SparseVolume(data.shape, where, parts)


def _strong_among(
    values: Voxels, height: np.float32, sides: Sides, strict: bool
) -> tuple[IndexArray, Parts]:
    """Find what is as strong as a height on either side: where, and on which side."""
    above = np.greater if strict else np.greater_equal
    below = np.less if strict else np.less_equal
    if not all(sides):
        strong = above(values, height) if sides[0] else below(values, -height)
        at = strong.reshape(-1).nonzero()[0]
        return at, np.full(at.size, 1 if sides[0] else _NEGATIVE, np.uint8)
    negative = below(values, -height)
    at = (above(values, height) | negative).reshape(-1).nonzero()[0]
    return at, negative.reshape(-1).take(at).view(np.uint8) + np.uint8(1)


def _find_small_p(statmap: StatMap, height: float, strict: bool) -> SparseVolume:
    """Find p below a height in the mask, where a p of 0 is the smallest there is."""
    data = statmap.data
    small = data < np.float32(height) if strict else data <= height * (1 + P_TOLERANCE)
    kept = small if (inside := statmap.inside) is None else small & inside
    return SparseVolume.of(kept.view(np.uint8))


def _log_p_of_height(source: PSource, height: float, tail: Tail) -> float:
    """Return the log p that a height means, NaN when that is not one number."""
    kind, dof = source.statmap.kind, source.own_dof
    if (not kind.row.says_p_alone and dof is None) or isinstance(dof, np.ndarray):
        return math.nan
    return float(convert_to_log_p(height, kind, tail, dof))


def _log_alpha(
    source: PSource,
    threshold: Threshold,
    masking: Masking | None,
    sides: Sides,
    tail: Tail,
) -> tuple[float, int | None]:
    """Return the uncorrected log p to keep, NaN for nothing, and the number of tests.

    By the logarithm, because the p of the strongest voxels may have no float.
    """
    if threshold.p is not None:
        return math.log(threshold.p), None
    name = "FDR" if threshold.q is not None else "Bonferroni"
    _, log_p = find_tested_voxels(
        source,
        name,
        mask=None if masking is None else masking.mask,
        sides=sides,
        tail=tail,
    )
    if masking is not None:
        _refuse_circular(source, name, masking)
    # Of the stated p, which are those of one direction.
    half = math.log(count_directions(source, sides))
    if threshold.bonferroni is not None:
        return math.log(threshold.bonferroni / log_p.size) - half, log_p.size
    assert threshold.q is not None
    critical = critical_log_p(log_p, threshold.q, threshold.fdr)
    if critical is None:
        return math.nan, log_p.size
    # Below p = 1, which no height stands for.
    return min(critical - half, -P_TOLERANCE), log_p.size


def _refuse_circular(source: PSource, name: str, masking: Masking) -> None:
    """Refuse to count tests in voxels that were chosen by these very tests."""
    statmap = source.statmap
    why = masking.why_circular(statmap)
    if not why and source.is_sibling and source.evidence.siblings is not None:
        # The p that a user gave beside the map.
        why = masking.why_circular(source.map)
    if why:
        raise ResultsError(
            f"{statmap.title}: {name} {masking} would be circular. {why} Its voxels "
            "were chosen by the values that are to be corrected: counted alone, they "
            "pass by themselves. Take a mask that this data did not make, or correct "
            "in the whole brain."
        )


def _all_survive(n: int) -> str:
    """Say what a mask looks like that was drawn by the map, and cannot be told."""
    return (
        f"Each of the {n:,} voxels that were tested in the mask survives. A mask that "
        "was drawn by this very map does so whatever there is: make sure that it was "
        "chosen without the map."
    )


def _requested_p(statmap: StatMap, threshold: Threshold, log_p: float) -> float:
    """Return p as it was asked: its logarithm and back costs the last digit."""
    if threshold.p is not None:
        return threshold.p
    if threshold.value is not None and statmap.kind.row.small_is_strong:
        return threshold.value
    return math.exp(log_p)


def _by_log_p(
    source: PSource, log_p: float, sides: Sides, tail: Tail
) -> tuple[SparseVolume, float]:
    """Keep p at most this, by the map that states p; else by formula."""
    statmap = source.statmap
    if math.isnan(log_p):
        none = np.empty(0, np.int32), np.empty(0, np.uint8)
        return SparseVolume(statmap.grid.shape, *none), math.nan
    dof = source.own_dof
    if source.is_lone:
        height = height_at_log_p(log_p, statmap.kind, tail, dof)
        # A one-tailed p beyond .5 asks for all of the side that is looked at.
        level = np.float32(max(height * (1 - P_TOLERANCE), _SMALLEST_Z))
        return _find_beyond(statmap, level, sides), height
    survivors = source.survivors_at_log_p(log_p)
    if survivors is None:
        raise ResultsError(_no_p_message(statmap))
    above = _split_sides(statmap, survivors, sides)
    stated = source.is_sibling or isinstance(dof, np.ndarray)
    by_height = statmap.kind.row.says_p_alone and source.follows_height
    if by_height or not stated:
        return above, height_at_log_p(log_p, statmap.kind, tail, dof)
    return above, math.nan


def _no_p_message(statmap: StatMap) -> str:
    help_ = "threshold it by value"
    if statmap.kind.row.p.n_dof:
        help_ += ", or state its degrees of freedom (dof)"
    return (
        f"{statmap.title} holds {statmap.kind.meaning}. Without the p or logp map of "
        f"the same test it has no p: {help_}."
    )


def _split_sides(statmap: StatMap, kept: Mask, sides: Sides) -> SparseVolume:
    """Tell the positive and the negative side of what is kept apart."""
    found = SparseVolume.of(kept.view(np.uint8))
    if statmap.kind.row.small_is_strong:
        # A p of 0 inside the mask is the strongest there is.
        return found
    values = statmap.data.ravel(order="F").take(found.where)
    part = (values > 0).view(np.uint8) * np.uint8(sides[0])
    part[values < 0] = _NEGATIVE * sides[1]
    side = part.nonzero()[0]
    return SparseVolume(found.shape, found.where.take(side), part.take(side))


# In words, as a paper would state it.


def threshold_sentence(
    statmap: StatMap,
    height: float,
    means: Iterable[str],
    *,
    sides: Sides = (True, False),
    strict: bool = False,
    digits: int = 3,
) -> str:
    """Say it as in ``z >= 3.09 (p <= .001, one-tailed)``.

    Parameters
    ----------
    statmap : StatMap
        The map, whose kind is the unit; a corrected p says by which correction.
    height : float
        NaN or infinite when it is not one number.
    means : iterable of str
        What stands in brackets: see `p_in_words`, what was asked, how p counts.
    sides : tuple of bool
        Whether the positive and the negative side are looked at.
    strict : bool
        Whether the height itself is left out.
    digits : int
        Of the height.

    Returns
    -------
    str
        Without a full stop.
    """
    row, what = statmap.kind.row, statmap.kind.row.unit or str(statmap.kind)
    if row.small_is_strong and math.isfinite(height):
        relation = "<" if strict else "<="
        what = f"{p_word(statmap)} {relation} {short_p(height)}"
    elif math.isfinite(height):
        unit = {(True, True): "|{}|", (False, True): "-{}"}.get(sides, "{}")
        relation = ">" if strict else ">="
        what = f"{unit.format(what)} {relation} {height:.{digits}g}"
    told = ", ".join(means)
    return f"{what} ({told})" if told else what


def asked_in_words(statmap: StatMap, threshold: Threshold) -> str:
    """Write what was asked of a map, p by its name: ``q <= .05`` after FDR.

    Parameters
    ----------
    statmap : StatMap
        What is thresholded.
    threshold : Threshold
        What was asked.
    """
    if threshold.p is None:
        return str(threshold)
    return f"{p_word(statmap)} <= {short_p(threshold.p)}"


def p_word(statmap: StatMap) -> str:
    """Return what the field calls the p of a map: p, p_FWE, or q after FDR."""
    return name_p(statmap.correction)


def name_values(statmap: StatMap) -> str:
    """Name the values of a map in a word or two, as in ``z`` or ``z of q``.

    Parameters
    ----------
    statmap : StatMap
        Any map.
    """
    row, p = statmap.kind.row, p_word(statmap)
    if p == "p" or statmap.level == "cluster" or not row.has_p:
        return str(statmap.kind)
    if row.p.states_p:
        return re.sub(r"\bp$", p, row.unit or str(statmap.kind))
    return f"{statmap.kind} of {p}"


def describe_values(statmap: StatMap) -> str:
    """Say what the values of a map are, and of a corrected one what they stand for.

    Parameters
    ----------
    statmap : StatMap
        Any map.

    Returns
    -------
    str
        As in ``z that stands for q, converted two-tailed; not the z of the test``.
    """
    row, p = statmap.kind.row, p_word(statmap)
    if p == "p" or not row.has_p:
        return row.meaning
    if row.p.states_p:
        # The kind's own sentence, of the p that it is.
        return re.sub(r"\bp\b( values?)?", p, row.meaning, count=1)
    how = f", {statmap.tail_in_words}" if statmap.tail_is_conversions else ""
    kind = statmap.kind
    return f"{kind} that stands for {p}{how}; not the {kind} of the test"


@dataclass(frozen=True)
class ErrorRate:
    """The error rate over all tests of a map that a threshold controls.

    Attributes
    ----------
    symbol : str
        ``q`` for the false discovery rate, ``p_FWE`` for the family-wise error rate.
    level : float
        At most this.
    method : str
        How it is controlled, in words; empty if unknown.
    """

    symbol: str
    level: float
    method: str


def find_error_rate(statmap: StatMap, threshold: Threshold) -> ErrorRate | None:
    """Say which error rate a threshold controls on a map.

    Parameters
    ----------
    statmap : StatMap
        What is thresholded.
    threshold : Threshold
        What was asked.

    Returns
    -------
    ErrorRate or None
        None for an uncorrected p, which counts each test alone, and for a height,
        which is no level of significance: what survives it need not be significant.
    """
    if threshold.q is not None:
        return ErrorRate("q", threshold.q, FDR_METHODS[threshold.fdr])
    if threshold.bonferroni is not None:
        return ErrorRate("p_FWE", threshold.bonferroni, "Bonferroni")
    if threshold.p is not None and statmap.correction:
        return ErrorRate(p_word(statmap), threshold.p, statmap.correction_method)
    return None


def p_in_words(statmap: StatMap, log_p: float) -> str:
    """Write the largest p that is kept, as its -log10 where no float holds it.

    Parameters
    ----------
    statmap : StatMap
        Whose p it is.
    log_p : float
        Its natural logarithm.
    """
    if (p := math.exp(log_p)) > 0:
        return f"{p_word(statmap)} <= {short_p(p)}"
    return f"-log10 {p_word(statmap)} >= {-log_p / math.log(10):.4g}"


def dof_in_words(source: PSource) -> str:
    """Say how many degrees of freedom a map has; empty where it has none.

    Parameters
    ----------
    source : PSource
        The map, and what the user states about it.

    Returns
    -------
    str
        As in ``18 degrees of freedom``; for F ``1 and 18 degrees of freedom``.
    """
    dof = source.own_dof
    if dof is None:
        return ""
    if isinstance(dof, np.ndarray):
        return "degrees of freedom voxel by voxel"
    numbers = " and ".join(f"{n:.6g}" for n in np.atleast_1d(dof))
    return f"{numbers} degree{'s' * (numbers != '1')} of freedom"


def describe_map(statmap: StatMap) -> str:
    """State kind, tail and correction of a map, and what its numbers are.

    Parameters
    ----------
    statmap : StatMap
        Any map.

    Returns
    -------
    str
        As in ``z, one-tailed, uncorrected: z scores``.
    """
    if statmap.kind.row.holds_labels:
        return f"{statmap.kind}: {statmap.kind.meaning}"
    level = f"{statmap.level}-level " if statmap.level else ""
    correction = f"{level}{statmap.correction}-corrected"
    if not statmap.correction:
        known = statmap.correction_is_known
        correction = "uncorrected" if known else "correction unknown"
    tail = ""
    # A conversion is told with the values that it made.
    if statmap.kind.has_tail and not statmap.tail_is_conversions:
        tail = statmap.tail_in_words
    facts = ", ".join(filter(None, (str(statmap.kind), tail, correction)))
    if statmap.level == "cluster":
        return f"{facts}: each cluster carries one value, its own p"
    return f"{facts}: {describe_values(statmap)}"
