"""Which sides of a map a question is about, and how their p counts."""

from __future__ import annotations

from typing import Literal

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.maps.tails import tail_between
from napari_neurosynth_results.statistics.p_values.significance import PSource

Direction = Literal["positive", "negative", "both", "auto"]
#: Whether the positive and the negative side are looked at.
Sides = tuple[bool, bool]


def choose_sides(statmap: StatMap, asked: Direction) -> Sides:
    """Decide whether the positive and the negative side of a map are looked at.

    Raises
    ------
    ResultsError
        When the map has no such side; the text says why.
    """
    if asked not in ("positive", "negative", "both", "auto"):
        raise ResultsError(
            f"tail must be positive, negative, both or auto, not {asked!r}."
        )
    if asked == "auto":
        return True, statmap.signed
    if asked == "positive":
        return True, False
    if statmap.kind.row.lost_direction:
        raise ResultsError(f"{statmap.title}: {statmap.kind} values have no direction.")
    # What a lone map was tested for nobody knows: any side may be looked at.
    if not statmap.tail_is_open and statmap.tail is Tail.ONE and not statmap.signed:
        raise ResultsError(_one_tailed_message(statmap))
    return asked == "both", True


def check_direction_tested(source: PSource, asked: Direction) -> None:
    """Refuse the p of a side that the test behind a statistic or estimate left out.

    Its values may be negative all the same, and may be thresholded by value.

    Raises
    ------
    ResultsError
        When the p beside the map counts the positive direction only.
    """
    statmap = source.statmap
    if statmap.kind.has_tail or asked not in ("negative", "both"):
        return
    test = statmap.results.siblings(statmap).get("z")
    # Where each direction has a p of its own, as its z tells, negative values count.
    each = test is not None and test.signed
    if source.tail is Tail.ONE and not each:
        raise ResultsError(_one_tailed_message(statmap))


def choose_tail(source: PSource, sides: Sides) -> Tail:
    """Say how p counts: as the map's own test did.

    Nobody knows the test of a lone map: at both sides p is two-tailed, at one side it
    is one-tailed.
    """
    statmap = source.statmap
    if source.is_lone:
        return Tail.TWO if all(sides) else Tail.ONE
    if source.evidence.siblings and source.is_sibling and statmap.kind is MapKind.Z:
        return tail_between(statmap, source.map) or statmap.tail
    return statmap.tail


def is_tail_guessed(source: PSource, asked: Direction) -> bool:
    """Whether nothing but signs of values, or a habit, tells how p counts.

    Of a lone map the question tells, unless it leaves the sides to the values.
    """
    guessed = source.statmap.tail_is_guess
    return guessed and (asked == "auto" or not source.is_lone)


def _one_tailed_message(statmap: StatMap) -> str:
    return (
        f"{statmap.title} is one-tailed: only the positive direction was tested, "
        "and its negative values are no evidence for the opposite effect."
    )
