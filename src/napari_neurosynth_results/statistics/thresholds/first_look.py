"""The threshold a map is first shown at, and the reason for it.

Never a bare number: uncorrected maps open at p <= .001, corrected ones at p <= .05, by
the p or logp map of the same test, and maps without a p at a robust percentile. When
nothing survives, the map is shown faintly and the reason says why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Voxels
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.p_values.conversion import (
    P_TOLERANCE,
    height_at,
    short_p,
)
from napari_neurosynth_results.statistics.p_values.monte_carlo import (
    find_null_distribution,
    find_shared_smallest_p,
    write_counted_p,
)
from napari_neurosynth_results.statistics.p_values.significance import (
    OWN_EVIDENCE,
    Evidence,
    PSource,
)
from napari_neurosynth_results.statistics.thresholds.apply import (
    dof_in_words,
    p_in_words,
    p_word,
    threshold_sentence,
)
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

UNCORRECTED_ALPHA = 0.001
CORRECTED_ALPHA = 0.05
#: Maps without a p show their strongest 5 %, and clip colors at 99.9 %.
_PERCENTILE = 95.0
CLIP_PERCENTILE = 99.9
_BULK = 0.5


@dataclass(frozen=True)
class FirstLook:
    """How a map is first shown.

    Attributes
    ----------
    height : float
        Weakest value shown. For a p map the largest p; for a signed map the negative
        side mirrors it.
    strongest : float
        Where the colors end: the largest absolute value, the smallest p.
    signed : bool
        Whether both directions are shown.
    n_voxels : int
        Voxels that are shown.
    survives : bool
        False when no voxel reaches the threshold that the map's meaning asks for.
    reason : str
        One sentence: what is shown and why.
    above_zero : float, optional
        Where voxels of exactly 0 are values too, so that the height is 0: the weakest
        value above it.
    """

    height: float
    strongest: float
    signed: bool
    n_voxels: int
    survives: bool
    reason: str
    above_zero: float | None = None

    @property
    def weakest(self) -> float:
        """The height as a threshold, which lies above 0."""
        return self.height if self.above_zero is None else self.above_zero


def first_look(statmap: StatMap) -> FirstLook | None:
    """Choose the threshold at which to show a map first.

    Parameters
    ----------
    statmap : StatMap
        Any map.

    Returns
    -------
    FirstLook or None
        None for label maps and maps without any value to show: there is nothing to
        threshold.

    Raises
    ------
    ResultsError
        When the map or the sibling that states its p cannot be read.
    """
    if not statmap.kind.row.criteria:
        return None
    row = statmap.kind.row
    unlike = row.small_is_strong or (row.lost_direction and statmap.has_negatives)
    if unlike and statmap.doubt:
        return _by_size(statmap)
    inside = _inside(statmap)
    if not statmap.signed and statmap.kind.row.p.by_tail:
        inside &= statmap.data > 0
    if not inside.any():
        return None
    if statmap.cut and not statmap.kind.row.small_is_strong:
        return _whole(statmap, inside)
    alpha = CORRECTED_ALPHA if statmap.correction else UNCORRECTED_ALPHA
    source = PSource(statmap)
    significant = source.survivors(alpha) if statmap.kind.row.has_p else None
    if significant is None:
        return _by_percentile(statmap, inside, statmap.signed)
    survivors = inside & significant
    if survivors.any():
        return _by_p(source, survivors, alpha)
    return _faint(source, inside, alpha)


def look_without_siblings(statmap: StatMap) -> FirstLook | None:
    """Choose a threshold by a map's own values, where a sibling cannot be read.

    Parameters
    ----------
    statmap : StatMap
        A map that `first_look` failed on.

    Returns
    -------
    FirstLook or None
        The strongest 5 %; None when there is no value to show.

    Raises
    ------
    ResultsError
        When the map itself cannot be read.
    """
    inside = _inside(statmap)
    if not inside.any():
        return None
    look = _by_percentile(statmap, inside, statmap.has_negatives)
    why = "the map that states its p cannot be read"
    return replace(look, reason=f"{look.reason}; {why}")


def choose_first_threshold(
    statmap: StatMap, evidence: Evidence = OWN_EVIDENCE
) -> Threshold:
    """Choose a threshold for a map, as the viewer does before anything was chosen.

    Parameters
    ----------
    statmap : StatMap
        Any map but a label map.
    evidence : Evidence
        Degrees of freedom that the user states.

    Returns
    -------
    Threshold
        p <= .001 for an uncorrected map, p <= .05 for a corrected one (q for FDR), by
        the p of its own test. Maps without a p: the height of `first_look`, which keeps
        their strongest 5 %.

    Raises
    ------
    ResultsError
        When there is nothing to threshold, or a map cannot be read.
    """
    if not statmap.kind.row.criteria:
        raise ResultsError(
            f"{statmap.title}: {statmap.kind.row.called} cannot be thresholded."
        )
    alpha = CORRECTED_ALPHA if statmap.correction else UNCORRECTED_ALPHA
    source = PSource(statmap, evidence)
    source.check_values()
    whole = statmap.cut and not statmap.kind.row.small_is_strong
    asks_p = "p" in statmap.kind.row.criteria and not whole
    if asks_p and source.survivors(alpha) is not None:
        return Threshold(p=alpha)
    look = first_look(statmap)
    if look is None or not look.weakest > 0:
        raise ResultsError(f"{statmap.title} holds nothing that could be thresholded.")
    return Threshold(value=look.weakest)


def find_strongest(statmap: StatMap) -> float:
    """Return the strongest value of a map: the smallest p, else the largest size.

    Of maps without a p of their own a high percentile, because a few voxels at the edge
    of the brain would take all the colors.

    Parameters
    ----------
    statmap : StatMap
        Any map.

    Returns
    -------
    float
        Finite and above 0.

    Raises
    ------
    ResultsError
        When the map cannot be read.
    """
    return statmap.results.remember(
        (statmap.key, "strongest"), lambda: _strongest(statmap)
    )


def _inside(statmap: StatMap) -> npt.NDArray[np.bool_]:
    """Voxels that carry a value: 0 and NaN are outside or say nothing."""
    data = statmap.data
    inside = np.isfinite(data) & (data != 0)
    if statmap.underflowed is not None:
        # Nothing is stronger.
        inside |= statmap.underflowed
    if (zeros := zeros_inside(statmap)) is not None:
        inside |= zeros
    return np.asarray(inside)


def zeros_inside(statmap: StatMap) -> npt.NDArray[np.bool_] | None:
    """Mark where a variance of 0 is a value: the mask of its run says inside.

    Parameters
    ----------
    statmap : StatMap
        Any map.

    Returns
    -------
    ndarray of bool, shape (i, j, k), or None
        None where there is no such voxel.
    """
    if not statmap.kind.row.shown_whole or (inside := statmap.inside) is None:
        return None
    zeros = inside & (statmap.data == 0)
    return zeros if zeros.any() else None


def _by_size(statmap: StatMap) -> FirstLook | None:
    """Show the largest values of what cannot be what it is called, whatever it is."""
    values = statmap.data[np.isfinite(statmap.data) & (statmap.data != 0)]
    if not values.size:
        return None
    size: Voxels = np.abs(values)
    height, what = _strongest_part(size)
    n = int((size >= height).sum())
    return FirstLook(
        height=height,
        strongest=max(float(np.percentile(size, CLIP_PERCENTILE)), height),
        signed=bool((values < 0).any()),
        n_voxels=n,
        survives=True,
        reason=f"{what} by size alone: {_voxels(n)}; {statmap.doubt}. Say what it "
        "holds: This map holds...",
    )


def _by_p(source: PSource, survivors: npt.NDArray[np.bool_], alpha: float) -> FirstLook:
    statmap = source.statmap
    kept = np.abs(statmap.data[survivors])
    n = kept.size
    others = 0
    if statmap.kind.row.small_is_strong:
        # Where all survivors underflowed to 0, some p below alpha stands for them.
        above_0 = kept[kept > 0]
        strongest = float(above_0.min()) if above_0.size else alpha / 2
        height = max(alpha, float(kept.max()))
    else:
        height = _height(source, float(kept.min()), survivors, alpha)
        strongest = float(kept.max())
        strength = np.abs(statmap.data) if statmap.signed else statmap.data
        others = int((strength >= height).sum()) - n
    reason = f"{_criterion(source, alpha, height)}: {_voxels(n)}"
    if others > 0:
        reason += f", and {_voxels(others)} as strong that have a larger p"
    if (shared := find_shared_smallest_p(statmap)) is not None:
        reason += f"; {shared.caution.removesuffix('.')}"
    return FirstLook(
        height=height,
        strongest=strongest,
        signed=statmap.signed,
        n_voxels=n + max(others, 0),
        survives=True,
        reason=reason,
    )


def _height(
    source: PSource, weakest: float, survivors: npt.NDArray[np.bool_], alpha: float
) -> float:
    """Return the value that divides the survivors from the rest.

    The kind's own height at alpha where it does; the weakest survivor where it cannot,
    as in a t map whose degrees of freedom differ from voxel to voxel.
    """
    statmap, dof = source.statmap, source.own_dof
    unknown = dof is None or isinstance(dof, np.ndarray)
    if statmap.kind.row.p.n_dof and unknown:
        return weakest
    height = height_at(alpha, statmap.kind, statmap.tail, dof)
    strength = np.abs(statmap.data) if statmap.signed else statmap.data
    divides = not (~survivors & (strength >= height)).any()
    return height if divides and weakest >= height * (1 - P_TOLERANCE) else weakest


def _criterion(source: PSource, alpha: float, height: float) -> str:
    """Say the threshold in the map's own unit and in p."""
    statmap = source.statmap
    if statmap.kind.row.small_is_strong:
        how = [statmap.correction_method, statmap.tail_in_words]
        return threshold_sentence(statmap, alpha, filter(None, how))
    how = [p_in_words(statmap, math.log(alpha))]
    if statmap.correction_method:
        how.append(statmap.correction_method)
    if statmap.kind.has_tail:
        how.append(statmap.tail_in_words)
    if told := dof_in_words(source):
        how.append(told)
    if statmap.level == "cluster":
        how.append("one value per cluster")
    if source.is_sibling:
        how.append(f"by its {source.kind} map")
    return threshold_sentence(statmap, height, how, sides=(True, statmap.signed))


def _faint(source: PSource, inside: npt.NDArray[np.bool_], alpha: float) -> FirstLook:
    """Show a map on which nothing survives, and say how far from it it is."""
    statmap = source.statmap
    null = find_null_distribution(statmap)
    how = [statmap.correction_method]
    if statmap.kind.has_tail:
        how.append(statmap.tail_in_words)
    told, p = ", ".join(filter(None, how)), p_word(statmap)
    reason = (
        f"no voxel survives {p} <= {short_p(alpha)}{f' ({told})' if told else ''}: "
        f"the smallest {p} is {write_counted_p(source.smallest_p(), null)}"
    )
    if null is not None:
        reason += f" ({null}, so no p can be below {short_p(null.smallest_p)})"
    look = _by_percentile(statmap, inside, statmap.signed, with_why=False)
    return replace(
        look, survives=False, reason=f"{reason}; shown faintly: {look.reason}"
    )


def _whole(statmap: StatMap, inside: npt.NDArray[np.bool_]) -> FirstLook:
    """Show all that an earlier threshold left."""
    values = statmap.data[inside]
    strength: Voxels = np.abs(values) if statmap.signed else values
    height, n = float(strength.min()), strength.size
    unit = statmap.kind.row.unit or str(statmap.kind)
    unit = f"|{unit}|" if statmap.signed else unit
    return FirstLook(
        height=height,
        strongest=float(strength.max()),
        signed=statmap.signed,
        n_voxels=n,
        survives=True,
        reason=f"{unit} >= {height:.3g} (all that is left: the map was thresholded "
        f"before, by {statmap.cut}): {_voxels(n)}",
    )


def _by_percentile(
    statmap: StatMap,
    inside: npt.NDArray[np.bool_],
    signed: bool,
    *,
    with_why: bool = True,
) -> FirstLook:
    """Show the strongest values, and say why not what is significant."""
    values = statmap.data[inside]
    if statmap.kind.row.small_is_strong:
        return _smallest_p(statmap, values)
    strength: Voxels = np.abs(values) if signed else values
    above_zero = None
    if statmap.kind.row.shown_whole:
        height, what = float(strength.min()), "the whole range: no test belongs to it"
        if height == 0:
            positive = strength[strength > 0]
            above_zero = float(positive.min()) if positive.size else 1.0
    else:
        height, what = _strongest_part(strength)
        if statmap.doubt:
            what += f"; {statmap.doubt}"
        elif not with_why:
            # That nothing survives was said.
            pass
        elif statmap.kind.row.p.n_dof:
            what += ", because its degrees of freedom are not known"
        elif not statmap.kind.has_tail:
            what += f", because {statmap.kind} values have no p of their own"
            if (source := PSource(statmap)).is_sibling:
                what += f": that of the test is in {source.map.title}"
    strongest = float(np.percentile(strength, CLIP_PERCENTILE))
    if strongest <= height:
        strongest = float(strength.max()) or 1.0
    n = int((strength >= height).sum())
    sentence = threshold_sentence(statmap, height, [what], sides=(True, signed))
    return FirstLook(
        height=height,
        strongest=strongest,
        signed=signed,
        n_voxels=n,
        survives=True,
        reason=f"{sentence}: {_voxels(n)}",
        above_zero=above_zero,
    )


def _strongest_part(strength: Voxels) -> tuple[float, str]:
    """Choose the height above which the strongest 5 % are, and say so."""
    height = float(np.percentile(strength, _PERCENTILE))
    if strength.min() == strength.max():
        return height, "every voxel has this value"
    above = strength > height
    if (strength >= height).mean() > _BULK and above.any():
        # One value fills the map, as the floor of a cluster-level map does.
        return float(strength[above].min()), "stronger than what most voxels have"
    return height, "the strongest 5 %"


def _smallest_p(statmap: StatMap, values: Voxels) -> FirstLook:
    below, what = _strongest_part(-values)
    height = -below
    n = int((values <= height).sum())
    return FirstLook(
        height=height,
        strongest=float(values.min()),
        signed=False,
        n_voxels=n,
        survives=True,
        reason=f"{threshold_sentence(statmap, height, [what])}: {_voxels(n)}",
    )


def _voxels(n: int) -> str:
    return counted(n, "voxel")


def _strongest(statmap: StatMap) -> float:
    size = np.abs(statmap.data)
    size = size[np.isfinite(size) & (size > 0)]
    if not size.size:
        return 1.0
    if statmap.kind.row.small_is_strong:
        return float(size.min())
    if statmap.kind.has_tail:
        return float(size.max())
    return float(np.percentile(size, CLIP_PERCENTILE))
