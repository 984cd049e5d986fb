"""Which sides of a map a question is about, and how their p counts."""

from __future__ import annotations

from typing import Literal

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.maps.tails import tail_between
from napari_neurosynth_results.statistics.p_values.significance import (
    OWN,
    Evidence,
    p_map_of,
)

Direction = Literal["positive", "negative", "both", "auto"]
#: Whether the positive and the negative side are looked at.
Sides = tuple[bool, bool]

#: Kinds whose values have no direction.
UNSIGNED = frozenset(
    {MapKind.P, MapKind.LOGP, MapKind.ONE_MINUS_P, MapKind.CHI2, MapKind.F}
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
    if statmap.kind in UNSIGNED:
        raise ResultsError(f"{statmap.title}: {statmap.kind} values have no direction.")
    # Of a lone map nobody knows what was tested: the question decides.
    known = statmap.name is not None
    if known and statmap.tail is Tail.ONE and not statmap.signed:
        raise ResultsError(_one_tailed(statmap))
    return asked == "both", True


def check_tested(statmap: StatMap, asked: Direction, evidence: Evidence) -> None:
    """Refuse the p of a side that the test behind a statistic or estimate left out.

    Its values may be negative all the same, and may be thresholded by value.

    Raises
    ------
    ResultsError
        When the p beside the map counts the positive direction only.
    """
    if statmap.kind.has_tail or asked not in ("negative", "both"):
        return
    source = p_map_of(statmap, evidence)
    test = statmap.results.siblings(statmap).get("z")
    # Where each direction has a p of its own, as its z tells, negative values count.
    each = test is not None and test.signed
    if source is not None and source.tail is Tail.ONE and not each:
        raise ResultsError(_one_tailed(statmap))


def is_lone(statmap: StatMap, evidence: Evidence = OWN) -> bool:
    """Whether nothing but the question tells how the p of a z or t map counts."""
    z_or_t = statmap.kind in {MapKind.Z, MapKind.T}
    return z_or_t and statmap.name is None and not evidence.siblings


def tail_of_p(statmap: StatMap, sides: Sides, evidence: Evidence) -> Tail:
    """Say how p counts: as the map's own test did; by the question for a lone map."""
    if is_lone(statmap, evidence):
        return Tail.TWO if all(sides) else Tail.ONE
    source = p_map_of(statmap, evidence)
    if evidence.siblings and source is not None and statmap.kind is MapKind.Z:
        return tail_between(statmap, source) or statmap.tail
    return statmap.tail


def _one_tailed(statmap: StatMap) -> str:
    return (
        f"{statmap.title} is one-tailed: only the positive direction was tested, "
        "and its negative values are no evidence for the opposite effect."
    )
