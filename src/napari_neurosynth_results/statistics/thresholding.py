"""What the user asked -> which voxels survive, and a sentence that says so.

A probability is never applied to a z map by a formula where the p or logp map of the
same test exists, and never at all where it would mean nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.statmap import Mask, StatMap, Voxels
from napari_neurosynth_results.statistics.significance import (
    P_TOLERANCE,
    height_at,
    log_p_map,
    log_p_of,
    p_map_of,
    short_p,
    survivors_at,
)

Direction = Literal["positive", "negative", "both", "auto"]
Criterion = Literal["value", "p", "q", "bonferroni"]
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
Parts = npt.NDArray[np.uint8]
#: Whether the positive and the negative side are looked at.
Sides = tuple[bool, bool]

POSITIVE, NEGATIVE = 1, 2
#: Kinds whose values have no direction.
_UNSIGNED = frozenset(
    {MapKind.P, MapKind.LOGP, MapKind.ONE_MINUS_P, MapKind.CHI2, MapKind.F}
)
#: A z map whose weakest voxel is stronger than this was thresholded by somebody.
_THRESHOLDED_Z = 1.0
#: The smallest p whose height can be computed in float64.
_SMALLEST_P = float(np.finfo(np.float64).tiny)
_SMALLEST_Z = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Threshold:
    """What the user asked; exactly one of the first four is given.

    Attributes
    ----------
    value : float, optional
        Height in the map's own unit.
    p, q, bonferroni : float, optional
        Uncorrected p, FDR q (Benjamini-Hochberg), family-wise p by Bonferroni.
    tail : {"positive", "negative", "both", "auto"}
        Directions to keep; auto keeps both where both were tested.
    strict : bool
        Keep only what exceeds the height, as nilearn's cluster table does; a value
        only.
    connectivity : {6, 18, 26}
        6 faces (nilearn, NiMARE), 18 edges (SPM), 26 corners (FSL).
    min_voxels : int
        Smallest cluster kept.
    min_mm3 : float, optional
        The same as a volume; not both.
    """

    value: float | None = None
    p: float | None = None
    q: float | None = None
    bonferroni: float | None = None
    tail: Direction = "auto"
    strict: bool = False
    connectivity: int = 6
    min_voxels: int = 1
    min_mm3: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is ambiguous or out of range."""
        asked = [
            x for x in (self.value, self.p, self.q, self.bonferroni) if x is not None
        ]
        if len(asked) != 1:
            raise ResultsError("Give exactly one of value, p, q and bonferroni.")
        if self.value is None and not 0 < asked[0] < 1:
            raise ResultsError(
                f"A probability lies between 0 and 1, not at {asked[0]}."
            )
        if self.value is not None and not math.isfinite(self.value):
            raise ResultsError("A height has to be a number.")
        if self.strict and self.value is None:
            raise ResultsError("strict is for a value; p, q and bonferroni mean <=.")
        if self.connectivity not in (6, 18, 26):
            raise ResultsError(f"connectivity is 6, 18 or 26, not {self.connectivity}.")
        if self.min_voxels < 1:
            raise ResultsError(f"min_voxels is at least 1, not {self.min_voxels}.")
        if self.min_mm3 is not None and not 0 < self.min_mm3 < math.inf:
            raise ResultsError(f"min_mm3 is a volume above 0, not {self.min_mm3}.")
        if self.min_mm3 is not None and self.min_voxels > 1:
            raise ResultsError("Give the extent as min_voxels or as min_mm3, not both.")

    @classmethod
    def by(cls, criterion: Criterion, number: float, **options: Any) -> Threshold:
        """Ask by a criterion that is chosen by name."""
        options[criterion] = number
        return cls(**options)

    @property
    def criterion(self) -> Criterion:
        """Which of the four is given."""
        return next(name for name in CRITERIA if getattr(self, name) is not None)

    @property
    def number(self) -> float:
        """The height or the probability that is given."""
        number: float = getattr(self, self.criterion)
        return number

    @property
    def has_extent(self) -> bool:
        """Whether small clusters are left out."""
        return self.min_voxels > 1 or self.min_mm3 is not None

    def voxels_at_least(self, voxel_mm3: float) -> int:
        """Return the extent in voxels of a size in mm3.

        >>> Threshold(p=0.001, min_mm3=80).voxels_at_least(8.0)
        10
        """
        if self.min_mm3 is None:
            return self.min_voxels
        # A volume that is a whole number of voxels stays that number.
        return max(1, math.ceil(self.min_mm3 / voxel_mm3 * (1 - 1e-9)))


@dataclass(frozen=True)
class Applied:
    """What a threshold did to a map.

    Attributes
    ----------
    parts : ndarray of uint8, shape (i, j, k)
        0 below, 1 above in the positive direction, 2 in the negative one.
    height : float
        In the map's unit; for a p map the largest p kept. NaN when nothing survives a
        q or when the height differs from voxel to voxel.
    p : float
        The uncorrected p that the height means, NaN when unknown.
    n_tests : int or None
        Voxels tested, for q and Bonferroni.
    tail : Tail
        How the p counts.
    sentence : str
        Height, p and tail, in words.
    """

    parts: Parts
    height: float
    p: float
    n_tests: int | None
    tail: Tail
    sentence: str

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence


def apply_threshold(
    statmap: StatMap, threshold: Threshold, mask: Mask | None = None
) -> Applied:
    """Find the voxels of a map that survive a threshold.

    Parameters
    ----------
    statmap : StatMap
        Any map but a label map; cluster-level corrected maps are refused, because they
        carry one value a cluster.
    threshold : Threshold
        What was asked.
    mask : ndarray of bool, optional
        Look, and count tests, only here. Defaults to the analysis mask.

    Returns
    -------
    Applied
        Which voxels survive and what that means.

    Raises
    ------
    ResultsError
        When the question means nothing for the map; the text says why.
    """
    if statmap.kind is MapKind.LABEL:
        raise ResultsError(f"{statmap.title}: labels are not thresholded.")
    if statmap.level == "cluster":
        raise ResultsError(
            f"{statmap.title}: each cluster carries one value, its own p. A height or "
            "a second correction on top means nothing; ask for p."
        )
    directions = sides_of(statmap, threshold.tail)
    tail = _tail_of_p(statmap, directions)
    if threshold.value is not None:
        n_tests = None
        parts, height, p = _by_value(statmap, threshold, directions, tail)
    else:
        alpha, n_tests = _uncorrected_alpha(statmap, threshold, mask, directions, tail)
        parts, height, p = _by_p(statmap, alpha, directions, tail)
    if mask is not None:
        parts *= mask
    return Applied(
        parts=parts,
        height=height,
        p=p,
        n_tests=n_tests,
        tail=tail,
        sentence=_sentence(statmap, threshold, directions, height, p, n_tests, tail),
    )


def sides_of(statmap: StatMap, asked: Direction) -> Sides:
    """Decide whether the positive and the negative side of a map are looked at.

    Raises
    ------
    ResultsError
        When the map has no such side; the text says why.
    """
    if asked not in ("positive", "negative", "both", "auto"):
        raise ResultsError(f"tail is positive, negative, both or auto, not {asked!r}.")
    if asked == "auto":
        return True, statmap.signed
    if asked == "positive":
        return True, False
    if statmap.kind in _UNSIGNED:
        raise ResultsError(f"{statmap.title}: {statmap.kind} values have no direction.")
    # Of a lone map nobody knows what was tested: the question decides.
    known = statmap.name is not None
    if known and statmap.tail is Tail.ONE and not statmap.signed:
        raise ResultsError(
            f"{statmap.title} is one-tailed: only the positive direction was tested, "
            "and its negative values are no evidence for the opposite effect."
        )
    return asked == "both", True


def is_lone(statmap: StatMap) -> bool:
    """Whether nothing but the question tells how the p of a z or t map counts."""
    return statmap.name is None and statmap.kind in {MapKind.Z, MapKind.T}


def _tail_of_p(statmap: StatMap, directions: Sides) -> Tail:
    """Say how p counts: as the map's own test did; by the question for a lone map."""
    if not is_lone(statmap):
        return statmap.tail
    return Tail.TWO if all(directions) else Tail.ONE


def _by_value(
    statmap: StatMap, threshold: Threshold, directions: Sides, tail: Tail
) -> tuple[Parts, float, float]:
    height = threshold.value
    assert height is not None
    if height <= 0:
        raise ResultsError("A height has to be above 0; choose the side with tail.")
    if statmap.kind is MapKind.P:
        return _small_p(statmap, height, threshold.strict), height, height
    parts = _beyond(statmap.data, np.float32(height), directions, threshold.strict)
    return parts, height, _p_at(statmap, height, tail)


def _beyond(
    data: Voxels, height: np.float32, directions: Sides, strict: bool = False
) -> Parts:
    """Mark what is as strong as a height, in as few passes over memory as it takes."""
    parts = np.empty(data.shape, np.uint8, order="F")
    positive, negative = directions
    if positive:
        above = np.greater if strict else np.greater_equal
        above(data, height, out=parts.view(np.bool_))
    else:
        parts[...] = 0
    if negative:
        below = np.less if strict else np.less_equal
        under = below(data, -height).view(np.uint8)
        under *= np.uint8(NEGATIVE)
        parts += under
    return parts


def _small_p(statmap: StatMap, height: float, strict: bool) -> Parts:
    """Mark p below a height in the mask, where a p of 0 is the smallest there is."""
    data = statmap.data
    small = data < np.float32(height) if strict else data <= height * (1 + P_TOLERANCE)
    inside = statmap.mask if statmap.mask is not None else data > 0
    return (small & inside).view(np.uint8)


def _p_at(statmap: StatMap, height: float, tail: Tail) -> float:
    dof = statmap.file.dof
    known = {MapKind.Z, MapKind.LOGP, MapKind.ONE_MINUS_P}
    if statmap.kind not in known and dof is None:
        return math.nan
    return math.exp(float(log_p_of(height, statmap.kind, tail, dof)))


def _by_p(
    statmap: StatMap, alpha: float, directions: Sides, tail: Tail
) -> tuple[Parts, float, float]:
    """Keep p <= alpha, by the map that states p; else by formula."""
    if alpha <= 0:
        return np.zeros(statmap.grid.shape, np.uint8, order="F"), math.nan, math.nan
    if is_lone(statmap):
        height = height_at(alpha, statmap.kind, tail, statmap.file.dof)
        # A one-tailed p beyond .5 asks for all of the side that is looked at.
        level = np.float32(max(height * (1 - P_TOLERANCE), _SMALLEST_Z))
        return _beyond(statmap.data, level, directions), height, alpha
    survivors = survivors_at(statmap, alpha)
    if survivors is None:
        raise ResultsError(
            f"{statmap.title} holds {statmap.kind.meaning}. Without the p or logp map "
            "of the same test it has no p: threshold it by value."
        )
    parts = _split(statmap, survivors, directions)
    if statmap.kind in {MapKind.Z, MapKind.P, MapKind.LOGP, MapKind.ONE_MINUS_P}:
        return parts, height_at(alpha, statmap.kind, tail), alpha
    return parts, math.nan, alpha


def _uncorrected_alpha(
    statmap: StatMap,
    threshold: Threshold,
    mask: Mask | None,
    directions: Sides,
    tail: Tail,
) -> tuple[float, int | None]:
    """Turn q or a Bonferroni p into the uncorrected p to keep; 0 when nothing is."""
    if threshold.p is not None:
        return threshold.p, None
    name = "FDR" if threshold.q is not None else "Bonferroni"
    inside = _tested(statmap, mask, name)
    if is_lone(statmap):
        z = statmap.data[inside]
        strength = np.abs(z) if all(directions) else z if directions[0] else -z
        log_p = log_p_of(strength, statmap.kind, tail, statmap.file.dof)
    else:
        log_p = _log_p_in(statmap, inside, name)
    n = log_p.size
    if threshold.bonferroni is not None:
        return threshold.bonferroni / n, n
    assert threshold.q is not None
    critical = _critical_log_p(log_p, threshold.q)
    if critical == -math.inf and not np.isneginf(log_p).any():
        return 0.0, n
    # A p that no float can hold survives; so does every other one like it.
    return max(math.exp(critical), _SMALLEST_P), n


def _tested(statmap: StatMap, mask: Mask | None, name: str) -> Mask:
    """Mark the voxels that count as tests; refuses where they are not all there."""
    if statmap.correction:
        raise ResultsError(
            f"{statmap.title} is corrected already ({statmap.correction}): {name} on "
            "top means nothing. Use the uncorrected map, or ask for p."
        )
    inside = mask if mask is not None else statmap.mask
    if inside is None:
        raise ResultsError(
            f"{statmap.title}: {name} counts the tests in the analysis mask, and no "
            "map beside this one shows where it ends. Give a mask, or open the whole "
            "folder."
        )
    source = p_map_of(statmap) or statmap
    if source.kind is MapKind.Z:
        size = np.abs(source.data)
        if size[size > 0].min(initial=np.inf) > _THRESHOLDED_Z:
            raise ResultsError(
                f"{statmap.title} was thresholded before: {name} needs every voxel."
            )
    # NaN was not tested; infinity was, and is the strongest.
    inside = inside & ~np.isnan(source.data)
    if not inside.any():
        raise ResultsError(f"{statmap.title} has values at no voxel of the mask.")
    return inside


def _log_p_in(statmap: StatMap, inside: Mask, name: str) -> npt.NDArray[np.float64]:
    log_p = log_p_map(statmap)
    if log_p is None:
        raise ResultsError(
            f"{statmap.title} holds {statmap.kind.meaning}. {name} needs its p or logp "
            "map."
        )
    return log_p[inside]


def _critical_log_p(log_p: npt.NDArray[np.float64], q: float) -> float:
    """Largest log p that Benjamini-Hochberg keeps at q, -inf when none."""
    ordered = np.sort(log_p)
    n = ordered.size
    allowed = math.log(q) + np.log(np.arange(1, n + 1) / n)
    kept = np.flatnonzero(ordered <= allowed + P_TOLERANCE)
    return float(ordered[kept[-1]]) if kept.size else -math.inf


def _split(statmap: StatMap, kept: Mask, directions: Sides) -> Parts:
    """Mark the positive and the negative side of what is kept."""
    if statmap.kind is MapKind.P:
        # A p of 0 inside the mask is the strongest there is.
        return kept.view(np.uint8)
    parts = np.zeros(kept.shape, np.uint8, order="F")
    positive, negative = directions
    if positive:
        np.logical_and(kept, statmap.data > 0, out=parts.view(np.bool_))
    if negative:
        parts += (kept & (statmap.data < 0)).view(np.uint8) * np.uint8(NEGATIVE)
    return parts


def _sentence(
    statmap: StatMap,
    threshold: Threshold,
    directions: Sides,
    height: float,
    p: float,
    n_tests: int | None,
    tail: Tail,
) -> str:
    """Say it as in ``z >= 3.09 (p <= .001, one-tailed)``."""
    unit = {(True, True): "|{}|", (False, True): "-{}"}.get(directions, "{}")
    unit = unit.format(statmap.kind)
    relation = "<=" if statmap.kind is MapKind.P else ">" if threshold.strict else ">="
    means = []
    if threshold.q is not None:
        means.append(f"FDR q <= {short_p(threshold.q)}")
    if threshold.bonferroni is not None:
        means.append(f"Bonferroni p <= {short_p(threshold.bonferroni)}")
    if math.isfinite(p):
        means.append(f"p <= {short_p(p)}")
    if n_tests is not None:
        means.append(f"{n_tests:,} tests")
    if tail is not Tail.NONE:
        means.append(str(tail))
    what = (
        f"{unit} {relation} {height:.3g}"
        if math.isfinite(height)
        else str(statmap.kind)
    )
    return f"{what} ({', '.join(means)})" if means else what
