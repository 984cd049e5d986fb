"""One- or two-tailed: measured on a map's siblings, read off its name as a last resort.

A NiMARE z says p <= .05 at 1.645 in some files and at 1.960 in others. Where the p or
logp map of the same test exists, inverting z against it settles the question. The table
of names was made by doing that with NiMARE 0.22.1 for every estimator and corrector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.maps.kinds import MapKind, Tail

if TYPE_CHECKING:
    from napari_neurosynth_results.maps.statmap import StatMap

#: Contrasts that NiMARE tests in both directions (MKDAChi2, ALESubtraction).
_TWO_TAILED_CONTRASTS = frozenset(
    {"association", "uniformity", "specificity", "consistency", "group1MinusGroup2"}
)
#: Values that only image-based estimators write; those test both directions by default.
_IMAGE_BASED_VALUES = frozenset({"est", "se", "tau2", "sigma2", "dof"})
#: Enough voxels to tell the two conversions apart, few enough to cost nothing.
_SAMPLE = 5000
#: NiMARE writes float32; a conversion that fits leaves less than this in z.
_FITS = 0.02


def tail_of(statmap: StatMap) -> Tail:
    """Decide the tail of a map.

    The tail of a p or logp map is that of the test behind it: of the uncorrected z
    beside it. (NiMARE converts the p of FDR and Bonferroni to z two-tailed whatever the
    test was, so their own z does not tell.)

    Parameters
    ----------
    statmap : StatMap
        Any map of a result set.

    Returns
    -------
    Tail
        ``Tail.NONE`` for kinds that have none.

    Raises
    ------
    ResultsError
        When a map that has to be looked at cannot be read.
    """
    if not statmap.kind.has_tail:
        return Tail.NONE
    if statmap.kind in {MapKind.Z, MapKind.T}:
        return _measured(statmap) or _by_name(statmap)
    test = statmap.results.uncorrected(statmap) or statmap
    z = test.results.siblings(test).get("z")
    return (z and _measured(z)) or _by_name(test)


def _measured(statmap: StatMap) -> Tail | None:
    """Invert a z map against the p of the same test, None when that cannot tell."""
    if statmap.kind is not MapKind.Z:
        return None
    siblings = statmap.results.siblings(statmap)
    partner = siblings.get("logp") or siblings.get("p")
    if partner is None or not partner.grid.same_as(statmap.grid):
        return None
    from scipy.special import ndtri_exp

    z, log_p = _sample(statmap.data, _natural_log_p(partner))
    if z.size == 0:
        return None
    one = np.abs(-ndtri_exp(log_p) - z)
    two = np.abs(-ndtri_exp(log_p - np.log(2)) - np.abs(z))
    errors = {Tail.ONE: float(np.median(one)), Tail.TWO: float(np.median(two))}
    best = min(errors, key=lambda tail: errors[tail])
    return best if errors[best] < _FITS else None


def _natural_log_p(partner: StatMap) -> npt.NDArray[np.float64]:
    values = partner.data.astype(np.float64)
    if partner.kind is MapKind.LOGP:
        return np.asarray(-values * np.log(10))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(values)


def _sample(
    z: npt.NDArray[np.float32], log_p: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Pick voxels where both conversions are defined and precise."""
    # A z near 0 belongs to p near .5 or 1, where float32 says little.
    usable = np.flatnonzero(
        (np.abs(z) > 0.5) & (np.abs(z) < 30) & np.isfinite(log_p) & (log_p < 0)
    )
    step = max(1, usable.size // _SAMPLE)
    chosen = usable[::step]
    return z.ravel()[chosen].astype(np.float64), log_p.ravel()[chosen]


def _by_name(statmap: StatMap) -> Tail:
    """Decide by NiMARE's habits; by the signs when nothing else is known."""
    name = statmap.name
    if name is None or statmap.kind is MapKind.T:
        return Tail.TWO if statmap.has_negatives or statmap.kind is MapKind.T else Tail.ONE
    corrected_by_p = name.correction == "FDR" or name.method == "bonferroni"
    if statmap.kind is MapKind.Z and corrected_by_p:
        return Tail.TWO
    if name.contrast in _TWO_TAILED_CONTRASTS:
        return Tail.TWO
    beside = statmap.results.run_of(statmap)
    values = {other.name.value for other in beside if other.name}
    contrasts = {other.name.contrast for other in beside if other.name}
    if name.contrast in {"group1", "group2"}:
        if "group1MinusGroup2" in contrasts:
            return Tail.ONE
        if contrasts & {"association", "uniformity"}:
            return Tail.TWO
    if values & _IMAGE_BASED_VALUES:
        return Tail.TWO
    return Tail.TWO if statmap.has_negatives else Tail.ONE
