"""The p of one voxel after another, as fast as a mouse moves.

What has to be found out once for a map (who states its p, tail, degrees of freedom) is
found out once; what is left is one value and one formula.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.maps.grid import Voxel, Voxels
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.statistics.p_values.conversion import (
    Dof,
    convert_to_log_p,
    short_p,
)
from napari_neurosynth_results.statistics.p_values.directions import (
    Direction,
    Sides,
    choose_sides,
    choose_tail,
    is_tail_guessed,
)
from napari_neurosynth_results.statistics.p_values.monte_carlo import (
    NullDistribution,
    find_null_distribution,
)
from napari_neurosynth_results.statistics.p_values.significance import PSource

_LOG_10 = math.log(10)
#: Below this logarithm p has no float64 of full precision.
_LEAST_LOG_P = math.log(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False)
class VoxelP:
    """What states the p of a map, ready to be asked for single voxels.

    Attributes
    ----------
    kind, tail : MapKind, Tail
        Of the map that states p, which may be a sibling.
    voxels : ndarray of float32, shape (i, j, k)
        Its values.
    sides : tuple of bool
        Whether its p falls in the positive and in the negative direction.
    dof : float, pair of float, ndarray or None
        Degrees of freedom, where p needs them.
    inside : ndarray of bool, shape (i, j, k), or None
        Where the map has values, which tells a p that underflowed to 0 from the
        outside; None where a 0 is a value.
    null : NullDistribution, optional
        What p was counted in: at its ends it is no more than a bound.
    guessed : bool
        Whether p hangs on a tail that nobody stated.
    """

    kind: MapKind
    tail: Tail
    voxels: Voxels = field(repr=False)
    sides: Sides = (True, False)
    dof: Dof | None = field(default=None, repr=False)
    inside: Mask | None = field(default=None, repr=False)
    null: NullDistribution | None = None
    guessed: bool = False

    def log_p(self, voxel: Voxel) -> float:
        """Return the natural logarithm of p in a voxel.

        Parameters
        ----------
        voxel : tuple of int
            i, j, k; inside of the grid.

        Returns
        -------
        float
            NaN outside of the mask. Where p underflowed, the largest that it may be.
        """
        x, dof = float(self.voxels[voxel]), self._dof_in(voxel)
        if self.inside is not None and not self.inside[voxel]:
            return math.nan
        if (floor := self._underflow(x)) is not None:
            return floor
        if math.isnan(x) or (isinstance(dof, float) and math.isnan(dof)):
            return math.nan
        strength = abs(x) if all(self.sides) else x if self.sides[0] else -x
        return float(convert_to_log_p(strength, self.kind, self.tail, dof))

    def format(self, voxel: Voxel) -> str:
        """Write p in a voxel as the field does, empty where there is none.

        By a tail that is a guess it is ``.0027 if two-tailed``.

        Parameters
        ----------
        voxel : tuple of int
            i, j, k; inside of the grid.
        """
        log_p = self.log_p(voxel)
        if math.isnan(log_p):
            return ""
        return self._write(voxel, log_p) + f" if {self.tail}" * self.guessed

    def _write(self, voxel: Voxel, log_p: float) -> str:
        x = float(self.voxels[voxel])
        if x == 0 and self.tail is Tail.ONE and self.kind is MapKind.Z:
            # One-tailed z are written as 0 for all p from there on.
            return f"≥ {format_log_p(log_p)}"
        if self.null is not None:
            return self.null.write(math.exp(log_p))
        underflowed = self._underflow(x) is not None
        return ("<" if underflowed else "") + format_log_p(log_p)

    def _underflow(self, x: float) -> float | None:
        """Return the log p that is not reached where a value stands for all below."""
        floor = self.kind.row.underflow
        return floor.log_p if floor is not None and x == floor.value else None

    def _dof_in(self, voxel: Voxel) -> Any:
        if isinstance(self.dof, np.ndarray):
            return float(self.dof[voxel])
        return self.dof


def voxel_p(
    source: PSource,
    read: Callable[[StatMap], npt.NDArray[np.float32]],
    asked: Direction = "auto",
) -> VoxelP | None:
    """Make what states the p of a map ready for single voxels.

    Parameters
    ----------
    read : callable
        Returns the voxels of a map, (i, j, k): somebody may hold them already.
    asked : {"positive", "negative", "both", "auto"}
        Directions that were asked for: they say how the p of a lone map counts.

    Returns
    -------
    VoxelP or None
        None when the map has no p. The voxels stay in memory for as long as it does.

    Raises
    ------
    ResultsError
        When a map cannot be read.
    """
    if not source.has_p:
        return None
    tail, sides = source.tail, (True, source.both_directions)
    if source.is_lone:
        sides = choose_sides(source.statmap, asked)
        tail = choose_tail(source, sides)
    return VoxelP(
        kind=source.kind,
        tail=tail,
        voxels=read(source.map),
        null=find_null_distribution(source.statmap),
        guessed=source.guesses_tail and is_tail_guessed(source, asked),
        sides=sides,
        dof=source.dof,
        inside=source.map.inside,
    )


def format_log_p(log_p: float) -> str:
    """Write p by its natural logarithm, also where p itself underflows.

    Parameters
    ----------
    log_p : float
        Natural logarithm of p; not NaN.

    Examples
    --------
    >>> format_log_p(-6.907755278982137), format_log_p(-804.6084420137538)
    ('.001', '3.66e-350')
    >>> format_log_p(float("-inf"))
    '0'
    """
    if log_p > _LEAST_LOG_P or math.isinf(log_p):
        return short_p(math.exp(log_p)) if log_p > -math.inf else "0"
    exponent = math.floor(log_p / _LOG_10)
    digits = f"{10 ** (log_p / _LOG_10 - exponent):.3g}"
    # 9.999 is written as 10, which is the next power.
    return f"1e{exponent + 1}" if digits == "10" else f"{digits}e{exponent}"
