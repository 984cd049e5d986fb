"""What states the p of a map: a sibling, its own values, what the user adds.

Numbers are converted in `statistics.conversion`; here it is decided which.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Voxels
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.p_values.conversion import (
    FREE,
    NEEDS_DOF,
    P_TOLERANCE,
    Dof,
    Floats,
    checked_dof,
    height_at_log_p,
    log_p_of,
)

_LAST_BIT = float(np.finfo(np.float32).eps)
#: Kinds that state p, and the siblings that do, the better one first: p may have
#: underflowed where logp has not.
_STATE_P = frozenset({MapKind.LOGP, MapKind.P, MapKind.ONE_MINUS_P})
_SIBLINGS = ("logp", "p")


@dataclass(frozen=True)
class Evidence:
    """What is given about a test beside the map itself.

    Attributes
    ----------
    siblings : mapping of str to StatMap, optional
        Maps of the same test by value; those named ``p`` and ``logp`` state its p.
        None stands for those of the map's own result set; an empty mapping for none,
        so that z is read by its formula and tail.
    dof : float or pair of float, optional
        Degrees of freedom of a t, chi2 or F map; two for F.
    """

    siblings: Mapping[str, StatMap] | None = None
    dof: float | tuple[float, float] | None = None

    def check(self, statmap: StatMap) -> None:
        """Refuse what cannot belong to a map.

        Raises
        ------
        ResultsError
            When a sibling that should state p does not or lies on another grid, or the
            degrees of freedom do not fit the kind.
        """
        if self.dof is not None:
            checked_dof(self.dof, statmap.kind)
        given = self.siblings or {}
        for other in (given[value] for value in _SIBLINGS if value in given):
            if other.kind not in _STATE_P:
                raise ResultsError(
                    f"{other.title} states no p: it holds {other.kind.meaning}. "
                    "Give a p or logp map of the same test."
                )
            if not other.grid.same_as(statmap.grid):
                raise ResultsError(
                    f"{other.title} is on another grid ({other.grid}) than "
                    f"{statmap.title} ({statmap.grid}): it cannot state its p."
                )

    def siblings_of(self, statmap: StatMap) -> Mapping[str, StatMap]:
        """Return the siblings given, else those of the map's own result set."""
        if self.siblings is not None:
            return self.siblings
        return statmap.results.siblings(statmap)


#: Nothing but the map's own result set.
OWN = Evidence()


def p_map_of(statmap: StatMap, evidence: Evidence = OWN) -> StatMap | None:
    """Find the map that states the p of a map's own test: itself, its logp or its p."""
    if statmap.kind in _STATE_P:
        return statmap
    if evidence.siblings is None:
        results = statmap.results
        key = results.remember((statmap.key, "p map"), lambda: _p_key_of(statmap))
        return results[key] if key is not None else None
    return _stating(statmap, evidence.siblings)


def _p_key_of(statmap: StatMap) -> str | None:
    """Find the key of that map among the siblings: a map itself is not remembered."""
    found = _stating(statmap, statmap.results.siblings(statmap))
    return found.key if found is not None else None


def _stating(statmap: StatMap, siblings: Mapping[str, StatMap]) -> StatMap | None:
    partner = siblings.get("logp") or siblings.get("p")
    if partner is not None and partner.grid.same_as(statmap.grid):
        return partner
    return None


def dof_of(statmap: StatMap, evidence: Evidence = OWN) -> Dof | None:
    """Find degrees of freedom: what the user states, the header's, a map of them.

    Parameters
    ----------
    statmap : StatMap
        Any map.
    evidence : Evidence
        What the user states.

    Returns
    -------
    float, pair of float, ndarray or None
        None for kinds that have none and when nobody knows; of an array NaN is outside.

    Raises
    ------
    ResultsError
        When a map of them cannot be read.
    """
    if statmap.kind not in NEEDS_DOF:
        return None
    stated = evidence.dof if evidence.dof is not None else statmap.dof
    if stated is not None or statmap.kind is MapKind.F:
        return stated
    test = statmap.results.uncorrected(statmap) or statmap
    found = evidence.siblings_of(test).get("dof")
    if found is None or not found.grid.same_as(statmap.grid):
        return None
    data: Any = found.data
    return np.where(data > 0, data, np.nan)


def log_p_map(statmap: StatMap, evidence: Evidence = OWN) -> Floats | None:
    """Return the natural logarithm of p in every voxel, 0 (p = 1) outside the mask.

    Parameters
    ----------
    statmap : StatMap
        Any map; its p or logp sibling is used where there is one, else its own values
        by its tail and degrees of freedom.
    evidence : Evidence
        Other siblings, degrees of freedom.

    Returns
    -------
    ndarray of float64, shape (i, j, k), or None
        None when the map has no p: no sibling states it and its kind does not tell.

    Raises
    ------
    ResultsError
        When a map cannot be read.
    """
    source = p_map_of(statmap, evidence) or statmap
    dof = dof_of(source, evidence)
    if source.kind not in FREE and dof is None:
        return None
    log_p = log_p_of(_strength(source), source.kind, source.tail, dof)
    outside = np.isnan(log_p)
    if source.kind is MapKind.P:
        outside |= source.data == 0
        if source.mask is not None:
            # A true p of 0 inside the mask underflowed: as small as float32 can say.
            floored = outside & source.mask & (source.data == 0)
            log_p[floored] = math.log(np.finfo(np.float32).tiny)
            outside &= ~floored
    log_p[outside] = 0
    return log_p


def log_p_at(
    statmap: StatMap,
    at: tuple[npt.NDArray[np.intp], ...],
    evidence: Evidence = OWN,
) -> Floats:
    """Return the natural logarithm of p at some voxels.

    Of those alone where the map that states p allows it: a whole volume of logarithms
    costs more than all the rest of a cluster table.

    Parameters
    ----------
    statmap : StatMap
        Any map.
    at : tuple of ndarray
        Indices i, j, k.
    evidence : Evidence
        Other siblings, degrees of freedom.

    Returns
    -------
    ndarray of float64
        NaN where the map has no p.

    Raises
    ------
    ResultsError
        When a map cannot be read.
    """
    source = p_map_of(statmap, evidence) or statmap
    x = source.data[at]
    plain = source.kind in FREE - {MapKind.P}
    if plain or (source.kind is MapKind.P and (x > 0).all()):
        strength = np.abs(x) if both_count(source) else x
        return log_p_of(strength, source.kind, source.tail)
    log_p = log_p_map(statmap, evidence)
    return log_p[at] if log_p is not None else np.full(x.size, np.nan)


def survivors_at(
    statmap: StatMap, alpha: float, evidence: Evidence = OWN
) -> Mask | None:
    """Mark the voxels with p <= alpha, by the map that states p.

    Parameters
    ----------
    statmap : StatMap
        Any map.
    alpha : float
        Between 0 and 1; forgiven `P_TOLERANCE`, because float32 holds .05 as a little
        more than .05.
    evidence : Evidence
        Other siblings, degrees of freedom.

    Returns
    -------
    ndarray of bool, shape (i, j, k), or None
        None when the map has no p.

    Raises
    ------
    ResultsError
        When a map cannot be read.
    """
    return survivors_at_log_p(statmap, math.log(alpha), evidence)


def survivors_at_log_p(
    statmap: StatMap, log_alpha: float, evidence: Evidence = OWN
) -> Mask | None:
    """Mark the voxels with p <= alpha, as `survivors_at` does, by the logarithm.

    Compared in the unit of the map that states p, so that no volume of logarithms is
    made where one height divides it.
    """
    source = p_map_of(statmap, evidence) or statmap
    # Below p = 1, which no height stands for.
    log_alpha = min(log_alpha + P_TOLERANCE, -P_TOLERANCE)
    if source.kind is MapKind.P:
        small = source.data <= math.exp(log_alpha)
        inside = source.mask if source.mask is not None else source.data > 0
        return np.asarray(small & inside)
    dof = dof_of(source, evidence)
    if source.kind not in FREE and dof is None:
        return None
    if isinstance(dof, np.ndarray):
        log_p = log_p_map(source, evidence)
        return None if log_p is None else np.asarray(log_p <= log_alpha)
    # A difference in the last bit of float32 is no difference.
    height = height_at_log_p(log_alpha, source.kind, source.tail, dof)
    return np.asarray(_strength(source) >= np.float32(height * (1 - _LAST_BIT)))


def smallest_p(statmap: StatMap, evidence: Evidence = OWN) -> float:
    """Return the smallest p of a map that has p values, 1 for an empty one.

    Parameters
    ----------
    statmap : StatMap
        Any map.
    evidence : Evidence
        Other siblings than the map's own, degrees of freedom.

    Returns
    -------
    float
        May underflow to 0.

    Raises
    ------
    ResultsError
        When a map cannot be read.
    """
    source = p_map_of(statmap, evidence) or statmap
    data = source.data
    if source.kind not in FREE:
        log_p = log_p_map(source, evidence)
        return 1.0 if log_p is None else math.exp(log_p.min())
    if source.kind is MapKind.P:
        return float(np.nanmin(data, where=data > 0, initial=1))
    strongest = np.nanmax(_strength(source), initial=0)
    return math.exp(float(log_p_of(strongest, source.kind, source.tail)))


def _strength(source: StatMap) -> Voxels:
    """Return what p falls with: the value, or its size where both directions count."""
    return np.abs(source.data) if both_count(source) else source.data


def both_count(source: StatMap) -> bool:
    """Whether the p that a map states falls in both directions.

    In a one-tailed map as well, if each direction has a p of its own.
    """
    return source.kind in {MapKind.Z, MapKind.T} and (
        source.tail is Tail.TWO or source.signed
    )
