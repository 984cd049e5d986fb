"""What the form of thresholds says of a map, and what it lists."""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.p_values.directions import Direction
from napari_neurosynth_results.statistics.p_values.significance import Evidence
from napari_neurosynth_results.statistics.thresholds.masks import Masking
from napari_neurosynth_results.statistics.thresholds.threshold import (
    CRITERIA,
    Criterion,
)
from napari_neurosynth_results.statistics.thresholds.what_can_be_asked import (
    Preset,
    presets_of,
    refusals,
    tails_of,
)

_CRITERIA: dict[Criterion, str] = {
    "value": "value",
    "p": "p",
    "q": "FDR q",
    "bonferroni": "Bonferroni p",
}
_TAILS: dict[Direction, str] = {
    "both": "both",
    "positive": "positive only",
    "negative": "negative only",
}


@dataclass(frozen=True)
class Offers:
    """What the lists of the form hold for a map, and why not more.

    Attributes
    ----------
    criteria, tails : list of tuple
        Text and meaning.
    presets : list of Preset
        Those that can be applied.
    no_criteria, no_tails : str
        The reasons for what is missing.
    """

    criteria: list[tuple[str, Criterion]] = field(default_factory=list)
    tails: list[tuple[str, Direction]] = field(default_factory=list)
    presets: list[Preset] = field(default_factory=list)
    no_criteria: str = ""
    no_tails: str = ""


def offers_of(statmap: StatMap, masking: Masking | None, evidence: Evidence) -> Offers:
    """Find out what can be asked of a map."""
    refused, tails = refusals(statmap, masking, evidence), tails_of(statmap)
    return Offers(
        criteria=[(_word(statmap, c), c) for c in CRITERIA if refused[c] is None],
        tails=[(word, tail) for tail, word in _TAILS.items() if tails[tail] is None],
        presets=presets_of(statmap, refused),
        no_criteria="\n".join(
            f"No {_CRITERIA[c]}: {why}" for c, why in refused.items() if why
        ),
        no_tails="\n".join({why for why in tails.values() if why}),
    )


def _word(statmap: StatMap, criterion: Criterion) -> str:
    """Name a criterion by what it means for the map."""
    if criterion == "value":
        return f"value ({statmap.kind})"
    if criterion == "p" and statmap.correction:
        of = "q" if statmap.correction == "FDR" else f"p_{statmap.correction}"
        return f"{of} of a cluster" if statmap.level == "cluster" else of
    return _CRITERIA[criterion]
