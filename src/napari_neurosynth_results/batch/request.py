"""What is asked of every result of a batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from napari_neurosynth_results._version import __version__
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.p_values.directions import Direction
from napari_neurosynth_results.statistics.p_values.multiple_testing import Method
from napari_neurosynth_results.statistics.thresholds.first_look import (
    first_threshold_of,
)
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold


@dataclass(frozen=True)
class Question:
    """Which maps, which threshold, and what else to say of each result.

    Attributes
    ----------
    maps : tuple of str
        Names or patterns (``z_*``) of maps; empty for the first in order of interest.
    value, p, q, bonferroni, fdr, tail, connectivity, min_voxels, min_mm3
        As for `find_clusters`; without a height each map has that of its first look.
    atlas : str, optional
        What clusters are named by.
    studies : bool
        Whether to say who is behind each cluster.
    """

    maps: tuple[str, ...] = ()
    value: float | None = None
    p: float | None = None
    q: float | None = None
    bonferroni: float | None = None
    fdr: Method = "BH"
    tail: Direction = "auto"
    connectivity: int = 6
    min_voxels: int = 1
    min_mm3: float | None = None
    atlas: str | None = "default"
    studies: bool = False

    def __post_init__(self) -> None:
        """Refuse what no map could answer, before anything is opened."""
        if self.has_height:
            self._threshold(self.value, self.p, self.q, self.bonferroni)
            return
        if self.min_voxels > 1 or self.min_mm3:
            raise ResultsError(
                "An extent needs a height: give p, value, q or bonferroni with it."
            )
        # Directions and neighbors are checked too, at a height of no meaning.
        self._threshold(None, 0.5, None, None)

    @classmethod
    def of(
        cls,
        maps: str | Sequence[str] | None,
        atlas: str | os.PathLike[str] | None,
        **threshold: Any,
    ) -> Question:
        """Make a question of what a caller gave.

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
            return cls(patterns, atlas=named, **threshold)
        except TypeError as error:
            raise ResultsError(
                f"A batch cannot be asked so: {error}. It takes value, p, q, "
                "bonferroni, fdr, tail, connectivity, min_voxels and min_mm3."
            ) from error

    @property
    def has_height(self) -> bool:
        """Whether one was asked; else each map has that of its first look."""
        return (self.value, self.p, self.q, self.bonferroni) != (None,) * 4

    @property
    def document(self) -> dict[str, Any]:
        """The question for a file: answers of one and another must not be mixed."""
        return {**asdict(self), "maps": list(self.maps), "version": __version__}

    def __str__(self) -> str:
        """Say the question in words."""
        which = ", ".join(self.maps) or "first in order of interest"
        asked = [
            f"{name} {getattr(self, name):g}"
            for name in ("value", "p", "q", "bonferroni", "min_mm3")
            if getattr(self, name) is not None
        ]
        if not self.has_height:
            asked.append("threshold of the first look")
        if self.q is not None:
            asked.append(self.fdr)
        if self.min_voxels > 1:
            asked.append(f"extent >= {self.min_voxels} voxels")
        asked.append(f"tail {self.tail}, {self.connectivity}-connected")
        return f"maps: {which}; {', '.join(asked)}; atlas: {self.atlas or 'none'}"

    def threshold_for(self, statmap: StatMap) -> Threshold:
        """Return the threshold of one map.

        Raises
        ------
        ResultsError
            When nothing was asked, and the map tells none by itself.
        """
        if self.has_height:
            return self._threshold(self.value, self.p, self.q, self.bonferroni)
        first = first_threshold_of(statmap)
        return self._threshold(first.value, first.p, first.q, first.bonferroni)

    def _threshold(
        self,
        value: float | None,
        p: float | None,
        q: float | None,
        bonferroni: float | None,
    ) -> Threshold:
        return Threshold(
            value=value,
            p=p,
            q=q,
            bonferroni=bonferroni,
            tail=self.tail,
            connectivity=self.connectivity,
            min_voxels=self.min_voxels,
            min_mm3=self.min_mm3,
            fdr=self.fdr,
        )

    def choose(self, results: ResultSet) -> tuple[list[str], list[str]]:
        """Choose the maps of a result.

        Parameters
        ----------
        results : ResultSet
            The result.

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
