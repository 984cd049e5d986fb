"""A threshold in words, as a paper would state it."""

from __future__ import annotations

import math

from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.p_values.conversion import short_p


def threshold_sentence(
    kind: MapKind,
    sides: tuple[bool, bool],
    *,
    strict: bool,
    height: float,
    correction: str,
    log_p: float,
    n_tests: int | None,
    tail: Tail,
) -> str:
    """Say it as in ``z >= 3.09 (p <= .001, one-tailed)``.

    Parameters
    ----------
    kind : MapKind
        The unit of the height.
    sides : tuple of bool
        Whether the positive and the negative side are looked at.
    strict : bool
        Whether the height itself is left out.
    height : float
        NaN or infinite when it is not one number.
    correction : str
        What was asked instead of an uncorrected p, in words; empty when nothing was.
    log_p : float
        The uncorrected p, NaN when unknown.
    n_tests : int or None
        Tests that were corrected for.
    tail : Tail
        How p counts.

    Returns
    -------
    str
        Without a full stop.
    """
    unit = {(True, True): "|{}|", (False, True): "-{}"}.get(sides, "{}").format(kind)
    relation = "<=" if kind is MapKind.P else ">" if strict else ">="
    means = [correction] if correction else []
    if math.isfinite(log_p):
        means.append(_p_in_words(log_p))
    if n_tests is not None:
        means.append(f"{n_tests:,} tests")
    if tail is not Tail.NONE:
        means.append(str(tail))
    what = f"{unit} {relation} {height:.3g}" if math.isfinite(height) else str(kind)
    return f"{what} ({', '.join(means)})" if means else what


def about_map(statmap: StatMap) -> str:
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
    level = f"{statmap.level}-level " if statmap.level else ""
    correction = f"{level}{statmap.correction}-corrected"
    if not statmap.correction:
        correction = "uncorrected" if statmap.name else "correction unknown"
    tail = str(statmap.tail) if statmap.kind.has_tail else ""
    facts = ", ".join(filter(None, (str(statmap.kind), tail, correction)))
    if statmap.level == "cluster":
        return f"{facts}: each cluster carries one value, its own p"
    return f"{facts}: {statmap.kind.meaning}"


def _p_in_words(log_p: float) -> str:
    """Write p, or its -log10 where no float holds it."""
    if (p := math.exp(log_p)) > 0:
        return f"p <= {short_p(p)}"
    return f"logp >= {-log_p / math.log(10):.4g}"
