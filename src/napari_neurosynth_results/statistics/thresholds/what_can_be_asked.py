"""What can be asked of a map, and the thresholds that other programs start with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.p_values.conversion import (
    height_at,
    short_p,
)
from napari_neurosynth_results.statistics.p_values.directions import (
    Direction,
    choose_sides,
)
from napari_neurosynth_results.statistics.p_values.significance import (
    OWN_EVIDENCE,
    Evidence,
    PSource,
)
from napari_neurosynth_results.statistics.thresholds.apply import (
    apply_threshold,
    p_word,
)
from napari_neurosynth_results.statistics.thresholds.cluster_level import (
    find_peak_map,
    read_clusters,
)
from napari_neurosynth_results.statistics.thresholds.first_look import find_strongest
from napari_neurosynth_results.statistics.thresholds.masks import Masking
from napari_neurosynth_results.statistics.thresholds.threshold import (
    CRITERIA,
    Criterion,
    Threshold,
)

_PROBE = 0.05
_TAILS: tuple[Direction, ...] = ("both", "positive", "negative")
#: Sliders of p reach as far as the map does, but no farther than this.
_SMALLEST_P = 1e-12
_LARGEST_P = 0.5


def refusals(
    statmap: StatMap,
    mask: Mask | Masking | None = None,
    evidence: Evidence = OWN_EVIDENCE,
) -> dict[Criterion, str | None]:
    """Say which criteria mean something for a map.

    Each is tried, so that what is offered is what works.

    Parameters
    ----------
    statmap : StatMap
        Any map.
    mask : ndarray of bool or Masking, optional
        Where to look.
    evidence : Evidence
        Other siblings than the map's own, degrees of freedom.

    Returns
    -------
    dict of str to str or None
        Criterion -> None when it can be asked, else the reason why not.
    """
    if mask is None and evidence == OWN_EVIDENCE:
        # Whoever shows the map asks again, and each time four thresholds are tried.
        known: dict[Criterion, str | None] = statmap.results.remember(
            (statmap.key, "refusals"), lambda: _refusals(statmap, None, evidence)
        )
        # What could not be read may be there again.
        if None in known.values():
            return dict(known)
    return _refusals(statmap, mask, evidence)


def _refusals(
    statmap: StatMap, mask: Mask | Masking | None, evidence: Evidence
) -> dict[Criterion, str | None]:
    source = PSource(statmap, evidence)
    found: dict[Criterion, str | None] = {}
    for criterion in CRITERIA:
        try:
            asked = Threshold.by(criterion, _PROBE)
            if statmap.level == "cluster" and criterion == "p":
                read_clusters(source, _PROBE, mask)
            else:
                apply_threshold(source, asked, mask)
            found[criterion] = None
        except ResultsError as error:
            found[criterion] = str(error)
    return found


def find_directions(statmap: StatMap) -> dict[Direction, str | None]:
    """Say which directions were tested.

    Parameters
    ----------
    statmap : StatMap
        Any map.

    Returns
    -------
    dict of str to str or None
        Direction -> None when it can be asked, else the reason why not. The clusters
        of a cluster-level map have the signs of the uncorrected one.
    """
    test = find_peak_map(statmap) if statmap.level == "cluster" else statmap
    nothing = f"{test.title} has no negative values."
    found: dict[Direction, str | None] = {}
    for tail in _TAILS:
        try:
            choose_sides(test, tail)
            found[tail] = None if test.signed or tail == "positive" else nothing
        except ResultsError as error:
            found[tail] = str(error)
    return found


@dataclass(frozen=True)
class SliderScale:
    """The numbers that a slider runs through; to the right it gets stricter.

    Attributes
    ----------
    loose, strict : float
        The numbers at its ends.
    logarithmic : bool
        Whether equal steps are equal factors, as for p.
    """

    loose: float
    strict: float
    logarithmic: bool

    def number_at(self, position: float) -> float:
        """Return the number at a position from 0 to 1.

        >>> SliderScale(0.5, 5e-7, True).number_at(0.5)
        0.0005
        """
        if self.logarithmic:
            ratio = self.strict / self.loose
            return float(f"{self.loose * ratio**position:.3g}")
        return float(f"{self.loose + (self.strict - self.loose) * position:.4g}")

    def position_of(self, number: float) -> float:
        """Return the position of a number, from 0 to 1.

        >>> SliderScale(0.5, 5e-7, True).position_of(0.0005)
        0.5
        """
        if self.logarithmic:
            position = math.log(number / self.loose) / math.log(
                self.strict / self.loose
            )
        else:
            position = (number - self.loose) / (self.strict - self.loose)
        return min(max(position, 0.0), 1.0)


def choose_scale(
    statmap: StatMap, criterion: Criterion, evidence: Evidence = OWN_EVIDENCE
) -> SliderScale:
    """Choose the range of a slider for a map.

    Parameters
    ----------
    statmap : StatMap
        Any map.
    criterion : {"value", "p", "q", "bonferroni"}
        What the slider chooses.
    evidence : Evidence
        Other siblings than the map's own, degrees of freedom.

    Returns
    -------
    SliderScale
        Values from a little above 0 to the strongest; probabilities from .5 to the
        smallest of the map.

    Raises
    ------
    ResultsError
        When the map cannot be read.
    """
    if criterion == "value":
        strongest = find_strongest(statmap)
        if statmap.kind.row.small_is_strong:
            return SliderScale(_LARGEST_P, min(strongest, _LARGEST_P / 10), True)
        return SliderScale(strongest / 1000, strongest, False)
    smallest = max(PSource(statmap, evidence).smallest_p(), _SMALLEST_P)
    if criterion != "p" or statmap.level == "cluster":
        smallest = max(smallest, 1e-6)
    return SliderScale(_LARGEST_P, min(smallest, _LARGEST_P / 10), True)


@dataclass(frozen=True)
class Preset:
    """A threshold that is known by a name.

    Attributes
    ----------
    name : str
        What the list shows.
    about : str
        What it imitates.
    threshold : Threshold
        What it asks.
    """

    name: str
    about: str
    threshold: Threshold = field(repr=False)


def list_presets(
    statmap: StatMap, refused: Mapping[Criterion, str | None] | None = None
) -> list[Preset]:
    """List the presets that make sense for a map.

    Parameters
    ----------
    statmap : StatMap
        Any map.
    refused : mapping, optional
        What `refusals` found, if that was asked before.

    Returns
    -------
    list of Preset
        For a cluster-level map levels of significance only.
    """
    refused = refusals(statmap) if refused is None else refused
    found = []
    for p in (0.001, 0.005, 0.01, 0.05):
        text = short_p(p)
        found.append(
            Preset(
                f"p {text}",
                f"{p_word(statmap)} <= {text} by the map's own "
                f"{'correction' if statmap.correction else 'test'}, no extent",
                Threshold(p=p),
            )
        )
    found.append(
        Preset(
            "FDR q .05",
            "Benjamini-Hochberg over the analysis mask",
            Threshold(q=_PROBE),
        )
    )
    if statmap.level != "cluster":
        found += _programs(statmap)
    return [preset for preset in found if refused[preset.threshold.criterion] is None]


def _programs(statmap: StatMap) -> list[Preset]:
    """Imitate the programs that a user may come from."""
    found = []
    if not statmap.correction and (threshold := _spm_threshold(statmap)) is not None:
        # A corrected p has no uncorrected threshold.
        found.append(
            Preset(
                "SPM-like",
                "SPM12's results: T or F at p <= .001, uncorrected, T one-sided (of a "
                "two-tailed map that is p <= .002, positive side), no extent, voxels "
                "that share an edge are one cluster (18-connected)",
                threshold,
            )
        )
    if statmap.kind is MapKind.Z:
        height = height_at(0.001, MapKind.Z, Tail.TWO)
        found += [
            Preset(
                "nilearn-like",
                "nilearn's threshold_stats_img: z > 3.29 (p < .001, two-tailed, "
                "whatever the map's test was), no extent, 6-connected",
                Threshold(value=float(np.float32(height)), strict=True),
            ),
            Preset(
                "NiMARE-workflow-like",
                "tables and labels of NiMARE's workflows and of Neurosynth Compose: "
                "z > 1.65, at least 10 voxels, 6-connected. Mind that 1.65 is p .05 "
                "of a one-tailed map only",
                Threshold(value=1.65, strict=True, min_voxels=10),
            ),
        ]
    return found


def _spm_threshold(statmap: StatMap) -> Threshold | None:
    """Ask for one direction, as SPM's T does, whatever the map's own test was.

    None for a two-tailed p without a sign: which voxels are positive it does not say.
    """
    source = PSource(statmap)
    both = source.tail is Tail.TWO and not source.is_lone
    if both and statmap.kind.has_tail and not statmap.kind.row.signed:
        return None
    # One direction has half of a two-tailed p; chi2 and F have none to choose.
    p = 0.002 if both and statmap.kind.row.signed else 0.001
    # Who wants the other side asks SPM for another T.
    tail: Direction = "positive" if statmap.signed else "auto"
    return Threshold(p=p, tail=tail, connectivity=18)
