"""What a user asks of a map: a height, a p, a corrected p, and how large a cluster.

Also how sure to be of how much of a cluster is active.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.statistics.p_values.conversion import short_p
from napari_neurosynth_results.statistics.p_values.directions import Direction
from napari_neurosynth_results.statistics.p_values.multiple_testing import (
    FDR_METHODS,
    Dependence,
    FdrMethod,
    check_confidence,
    check_fdr_method,
)

Criterion = Literal["value", "p", "q", "bonferroni"]
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)


@dataclass(frozen=True)
class Threshold:
    """What the user asked; exactly one of the first four is given.

    Attributes
    ----------
    value : float, optional
        Height in the map's own unit.
    p, q, bonferroni : float, optional
        Uncorrected p, FDR q, family-wise p by Bonferroni.
    fdr : {"BH", "BY"}
        For q: Benjamini-Hochberg, or Benjamini-Yekutieli, which allows for any
        dependence between voxels.
    tail : {"positive", "negative", "both", "auto"}
        Directions to keep; auto keeps both where both were tested.
    strict : bool
        Keep only what exceeds the height, as nilearn's cluster table does; a value
        only.
    connectivity : {6, 18, 26}
        6 faces (nilearn, NiMARE), 18 edges (SPM), 26 corners (FSL).
    min_voxels : int
        Smallest cluster kept.
    min_mm3 : float, optional
        The same as a volume; not both.
    tdp_alpha : float
        True discoveries are bounded with a confidence of 1 - this.
    tdp_dependence : {"positive", "any"}
        What is assumed of the voxels for that: Simes' inequality, or nothing.
    """

    value: float | None = None
    p: float | None = None
    q: float | None = None
    bonferroni: float | None = None
    tail: Direction = "auto"
    strict: bool = False
    connectivity: int = 6
    min_voxels: int = 1
    min_mm3: float | None = None
    fdr: FdrMethod = "BH"
    tdp_alpha: float = 0.05
    tdp_dependence: Dependence = "positive"

    def __post_init__(self) -> None:
        """Refuse what is ambiguous or out of range."""
        asked = [
            x for x in (self.value, self.p, self.q, self.bonferroni) if x is not None
        ]
        if len(asked) != 1:
            raise ResultsError("Give exactly one of value, p, q and bonferroni.")
        if self.value is None and not 0 < asked[0] < 1:
            raise ResultsError(
                f"A probability must lie between 0 and 1, not at {asked[0]}."
            )
        if self.value is not None and not math.isfinite(self.value):
            raise ResultsError("A height must be a finite number.")
        if self.strict and self.value is None:
            raise ResultsError(
                "strict goes with value only; p, q and bonferroni mean <=."
            )
        check_fdr_method(self.fdr)
        check_confidence(self.tdp_alpha, self.tdp_dependence)
        if self.fdr != "BH" and self.q is None:
            raise ResultsError("fdr says how q is computed: give q with it.")
        if self.connectivity not in (6, 18, 26):
            raise ResultsError(
                f"connectivity must be 6, 18 or 26, not {self.connectivity}."
            )
        if not (self.min_voxels >= 1 and self.min_voxels % 1 == 0):
            raise ResultsError(
                f"min_voxels must be a whole number from 1, not {self.min_voxels}."
            )
        if self.min_mm3 is not None and not 0 < self.min_mm3 < math.inf:
            raise ResultsError(f"min_mm3 must be a volume above 0, not {self.min_mm3}.")
        if self.min_mm3 is not None and self.min_voxels > 1:
            raise ResultsError("Give the extent as min_voxels or as min_mm3, not both.")

    def __str__(self) -> str:
        """Return the height as it was asked.

        >>> str(Threshold(q=0.05, fdr="BY")), str(Threshold(value=3))
        ('FDR q <= .05 (Benjamini-Yekutieli)', 'value >= 3')
        """
        if self.q is not None:
            return f"FDR q <= {short_p(self.q)} ({FDR_METHODS[self.fdr]})"
        if self.bonferroni is not None:
            return f"Bonferroni p <= {short_p(self.bonferroni)}"
        if self.p is not None:
            return f"p <= {short_p(self.p)}"
        return f"value {'>' if self.strict else '>='} {self.value:g}"

    @classmethod
    def by(cls, criterion: Criterion, number: float, **options: Any) -> Threshold:
        """Ask by a criterion that is chosen by name."""
        options[criterion] = number
        return cls(**options)

    @property
    def criterion(self) -> Criterion:
        """Which of the four is given."""
        return next(name for name in CRITERIA if getattr(self, name) is not None)

    @property
    def number(self) -> float:
        """The height or the probability that is given."""
        number: float = getattr(self, self.criterion)
        return number

    @property
    def has_extent(self) -> bool:
        """Whether small clusters are left out."""
        return self.min_voxels > 1 or self.min_mm3 is not None

    def voxels_at_least(self, voxel_mm3: float) -> int:
        """Return the extent in voxels of a size in mm3.

        >>> Threshold(p=0.001, min_mm3=80).voxels_at_least(8.0)
        10
        """
        if self.min_mm3 is None:
            return self.min_voxels
        # A volume that is a whole number of voxels stays that number.
        return max(1, math.ceil(self.min_mm3 / voxel_mm3 * (1 - 1e-9)))
