"""The order of interest: what a user wants to see first comes first."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from napari_neurosynth_results.maps.entry import MapEntry
from napari_neurosynth_results.maps.kinds import MapKind

_KINDS = tuple(MapKind)
_MAIN = frozenset({"", "association", "group1MinusGroup2", "balancedGroup1MinusGroup2"})
_GROUPS = {"group1": 2, "group2": 3}
_LAST = 4


def sort_by_interest(files: Iterable[MapEntry]) -> list[MapEntry]:
    """Sort maps: by kind, the main contrast first, corrected before uncorrected.

    Parameters
    ----------
    files : iterable of MapEntry
        The maps of one set.

    Returns
    -------
    list of MapEntry
        The same maps.
    """
    files = list(files)
    # MKDAChi2's uniformity and group1 hold the same numbers: the second comes last.
    uniform = {f.name.run for f in files if f.name and f.name.contrast == "uniformity"}
    return sorted(files, key=lambda file: _interest(file, uniform))


def _interest(
    file: MapEntry, uniform: Collection[tuple[str, str, str]]
) -> tuple[Any, ...]:
    name = file.name
    kind = _KINDS.index(file.kind)
    if name is None:
        return (kind, 1, True, True, "", ("", "", ""), file.key)
    contrast = 0 if name.contrast in _MAIN else _GROUPS.get(name.contrast, 1)
    if name.contrast == "group1" and name.run in uniform:
        contrast = _LAST
    return (
        kind,
        contrast,
        name.correction is None,
        name.level != "cluster",
        name.cluster_statistic or "",
        name.run,
        file.key,
    )
