"""What is asked of every result of a batch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from napari_neurosynth_results._version import __version__
from napari_neurosynth_results.api.map_requests import MapRequest, MaskSource
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.programs import Reading, stated_reading
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters.active_parts import check_share
from napari_neurosynth_results.statistics.thresholds.request import (
    StatedDof,
    ThresholdRequest,
    build_threshold,
)
from napari_neurosynth_results.statistics.thresholds.threshold import (
    CRITERIA,
    Threshold,
)

#: A threshold as it stands in the file of a batch, where nothing of it was asked.
_USUAL: dict[str, Any] = {
    **dict.fromkeys(CRITERIA),
    "fdr": "BH",
    "tail": "auto",
    "connectivity": 6,
    "min_voxels": 1,
    "min_mm3": None,
}
#: The same of what batches did not ask at first.
_USUAL_OF_TDP: dict[str, Any] = {"tdp_alpha": 0.05, "tdp_dependence": "positive"}


@dataclass(frozen=True)
class BatchRequest:
    """Which maps, what is asked of each, and what else to say of each result.

    Attributes
    ----------
    maps : tuple of str
        Names or patterns (``z_*``) of maps; empty for the first in order of interest.
    map_request : ThresholdRequest
        What is asked of each map; without a height it has its first threshold.
    atlas : str, optional
        What clusters are named by.
    regions : bool
        Whether to say what share of each cluster lies in which region.
    studies : bool
        Whether to say who is behind each cluster.
    kinds : tuple of pair of str
        What maps hold, by name, where the user knows better than their names.
    leave_one_out : bool
        Whether to say in how many re-estimations without one experiment each stands.
    active_parts : float, optional
        Of which share at least the largest parts of clusters are to be active.
    """

    maps: tuple[str, ...]
    map_request: MapRequest
    atlas: str | None = "default"
    regions: bool = False
    studies: bool = False
    kinds: tuple[tuple[str, str], ...] = ()
    leave_one_out: bool = False
    active_parts: float | None = None

    @classmethod
    def of(
        cls,
        maps: str | Sequence[str] | None,
        atlas: str | os.PathLike[str] | None,
        *,
        mask: MaskSource | str | os.PathLike[str] | None = None,
        dof: StatedDof | None = None,
        regions: bool = False,
        studies: bool = False,
        leave_one_out: bool = False,
        active_parts: float | None = None,
        kinds: Mapping[str, str] | None = None,
        **threshold: Any,
    ) -> BatchRequest:
        """Make a request of what a caller gave.

        Raises
        ------
        ResultsError
            When it means nothing for any map.
        """
        patterns = (maps,) if isinstance(maps, str) else tuple(maps or ())
        named = os.fspath(atlas) if atlas is not None else None
        if named is not None and os.path.exists(named):
            # Workers may stand in another folder.
            named = os.path.abspath(named)
        try:
            asked = build_threshold(**threshold)
        except TypeError as error:
            raise ResultsError(
                f"A batch does not take this: {error}. It takes value, p, q, "
                "bonferroni, fdr, tail, connectivity, min_voxels, min_mm3, tdp_alpha "
                "and tdp_dependence."
            ) from error
        map_request = ThresholdRequest(asked, _with_absolute_path(mask), dof)
        stated = tuple(sorted((kinds or {}).items()))
        for _, text in stated:
            # Before any source is opened: it would be refused by each.
            stated_reading(text, Reading(MapKind.OTHER))
        if active_parts is not None:
            check_share(active_parts)
        return cls(
            patterns,
            map_request,
            named,
            regions,
            studies,
            stated,
            leave_one_out,
            active_parts,
        )

    @property
    def tables(self) -> list[str]:
        """Names of the tables that each source gives."""
        wanted = {
            "parts.tsv": self.active_parts is not None,
            "regions.tsv": self.regions,
            "studies.tsv": self.studies,
        }
        return ["clusters.tsv", *(name for name, asked in wanted.items() if asked)]

    @property
    def document(self) -> dict[str, Any]:
        """The request for a file: answers to one and another must not be mixed."""
        asked, place, dof = (
            self.map_request.threshold,
            self.map_request.place,
            self.map_request.dof,
        )
        threshold = asdict(asked)
        # What is not stated means what it meant before it could be stated.
        more: dict[str, Any] = {"regions": True} if self.regions else {}
        more |= {"mask": asdict(place)} if place is not None else {}
        more |= {"dof": dof} if dof is not None else {}
        more |= {"kinds": dict(self.kinds)} if self.kinds else {}
        more |= {"leave_one_out": True} if self.leave_one_out else {}
        if self.active_parts is not None:
            more["active_parts"] = self.active_parts
        more |= {k: threshold[k] for k, v in _USUAL_OF_TDP.items() if threshold[k] != v}
        return {
            "maps": list(self.maps),
            **{name: threshold.get(name, usual) for name, usual in _USUAL.items()},
            "atlas": self.atlas,
            "studies": self.studies,
            **more,
            "version": __version__,
        }

    def __str__(self) -> str:
        """Say the request in words."""
        asked, dof = self.map_request.threshold, self.map_request.dof
        words = []
        if isinstance(asked, Threshold):
            words = [
                f"{name} {number:g}"
                for name in (*CRITERIA, "min_mm3")
                if (number := getattr(asked, name)) is not None
            ]
            words += [asked.fdr] if asked.q is not None else []
            if asked.min_voxels > 1:
                words.append(f"extent >= {asked.min_voxels} voxels")
        else:
            words.append("first threshold of each map")
        words.append(f"tail {asked.tail}, {asked.connectivity}-connected")
        if asked.tdp_alpha != _USUAL_OF_TDP["tdp_alpha"]:
            words.append(f"true discoveries at alpha {asked.tdp_alpha:g}")
        if asked.tdp_dependence == "any":
            words.append("true discoveries under any dependence")
        if self.active_parts is not None:
            words.append(
                f"parts of which at least {100 * self.active_parts:g} % is active"
            )
        if dof is not None:
            numbers = dof if isinstance(dof, tuple) else (dof,)
            words.append(
                f"degrees of freedom {' and '.join(f'{n:g}' for n in numbers)}"
            )
        if self.map_request.place is not None:
            words.append(str(self.map_request.place))
        words += [f"{name} holds {kind}" for name, kind in self.kinds]
        which = ", ".join(self.maps) or "first in order of interest"
        return f"maps: {which}; {', '.join(words)}; atlas: {self.atlas or 'none'}"

    def choose(self, results: ResultSet) -> tuple[list[str], list[str]]:
        """Choose the maps of a result.

        Returns
        -------
        keys, missing : list of str
            Keys in order of interest, and the patterns that no map has.
        """
        keys = [k for k, m in results.maps.items() if m.kind.row.criteria]
        if not self.maps:
            return keys[:1], [] if keys else ["any but labels"]
        found = {
            pattern: [k for k in keys if k == pattern or fnmatchcase(k, pattern)]
            for pattern in self.maps
        }
        wanted = {key for some in found.values() for key in some}
        missing = [pattern for pattern, some in found.items() if not some]
        return [key for key in keys if key in wanted], missing


def _with_absolute_path(
    mask: MaskSource | str | os.PathLike[str] | None,
) -> MaskSource | None:
    """Take a path for that of a file, which workers read from another folder."""
    if mask is None:
        return None
    source = (
        mask if isinstance(mask, MaskSource) else MaskSource("file", os.fspath(mask))
    )
    if source.kind != "file":
        return source
    return replace(source, name=os.path.abspath(source.name))
