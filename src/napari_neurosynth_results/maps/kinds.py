"""What the numbers of a map are: its kind and its tail.

A threshold is right only for a kind of number, so nothing else in the package reads a
file name to decide what a voxel means: it asks the kind.
"""

from __future__ import annotations

import re
from enum import StrEnum


class MapKind(StrEnum):
    """The kind of number a voxel holds; ``str()`` is the field's short name."""

    Z = "z"
    T = "t"
    P = "p"
    LOGP = "logp"
    ONE_MINUS_P = "1-p"
    CHI2 = "chi2"
    F = "F"
    STAT = "stat"
    PROB = "prob"
    EST = "est"
    SE = "se"
    TAU2 = "tau2"
    SIGMA2 = "sigma2"
    DOF = "dof"
    LABEL = "label"
    OTHER = "other"

    @property
    def meaning(self) -> str:
        """One sentence on what the numbers are, for people."""
        return _MEANINGS[self]

    @property
    def has_tail(self) -> bool:
        """Whether one- or two-tailed is a question for this kind."""
        return self in _TAILED

    @property
    def infinity_is_strongest(self) -> bool:
        """Whether an infinite voxel is a p value that underflowed, not rubbish."""
        return self in {MapKind.Z, MapKind.T, MapKind.LOGP, MapKind.CHI2, MapKind.F}

    @property
    def may_interpolate(self) -> bool:
        """Whether a value between two voxels' values means anything.

        Labels have nothing between them, and a p value interpolated with the 0 outside
        the brain would turn into a spurious small p.
        """
        return self not in {MapKind.LABEL, MapKind.P}

    @property
    def may_subtract(self) -> bool:
        """Whether the difference of two maps' values means anything.

        Scores, estimates and probabilities have a common unit. ALE and OF values grow
        with the number of experiments, and a difference of p values is nothing.
        """
        return self in {MapKind.Z, MapKind.T, MapKind.EST, MapKind.PROB}


class Tail(StrEnum):
    """Whether p counts one or both directions; ``str()`` reads as in a sentence."""

    ONE = "one-tailed"
    TWO = "two-tailed"
    NONE = "no tail"


_TAILED = frozenset(
    {MapKind.Z, MapKind.T, MapKind.P, MapKind.LOGP, MapKind.ONE_MINUS_P}
)

_MEANINGS = {
    MapKind.Z: "z score; how it converts to p depends on its tail",
    MapKind.T: "t statistic; needs its degrees of freedom to become a p value",
    MapKind.P: "p value: small is strong, and 0 lies outside the mask",
    MapKind.LOGP: "-log10 of the p value: large is strong",
    MapKind.ONE_MINUS_P: "1 - p: close to 1 is strong",
    MapKind.CHI2: "chi-square statistic: no sign; needs its degrees of freedom",
    MapKind.F: "F statistic: no sign; needs its degrees of freedom",
    MapKind.STAT: "statistic of the estimator (ALE or OF value): no p of its own",
    MapKind.PROB: "probability of activation or of a term: not a p value",
    MapKind.EST: "estimated effect: no p of its own",
    MapKind.SE: "standard error of the estimated effect",
    MapKind.TAU2: "variance between studies",
    MapKind.SIGMA2: "variance within studies",
    MapKind.DOF: "degrees of freedom, voxel by voxel",
    MapKind.LABEL: "cluster labels: 0 is background",
    MapKind.OTHER: "numbers of unknown kind",
}

#: NiMARE's value entity (old and new releases) -> kind.
VALUE_KINDS = {
    "z": MapKind.Z,
    "t": MapKind.T,
    "p": MapKind.P,
    "logp": MapKind.LOGP,
    "chi2": MapKind.CHI2,
    "chiSquare": MapKind.CHI2,
    "prob": MapKind.PROB,
    "stat": MapKind.STAT,
    "est": MapKind.EST,
    "se": MapKind.SE,
    "tau2": MapKind.TAU2,
    "sigma2": MapKind.SIGMA2,
    "dof": MapKind.DOF,
    "label": MapKind.LABEL,
    "spatialIntensity": MapKind.OTHER,
    # NiMARE <= 0.0.13
    "ale": MapKind.STAT,
    "of": MapKind.STAT,
    "specificity": MapKind.OTHER,
    "consistency": MapKind.OTHER,
}

#: NIfTI-1 intent code -> kind (nifti1.h, NIFTI_INTENT_*).
_INTENT_KINDS = {
    3: MapKind.T,
    4: MapKind.F,
    5: MapKind.Z,
    6: MapKind.CHI2,
    22: MapKind.P,
    24: MapKind.LOGP,
    1002: MapKind.LABEL,
}

#: NeuroVault's `map_type`, as its API shows it and as older answers stored it.
_MAP_TYPES = {
    "t map": MapKind.T,
    "t": MapKind.T,
    "z map": MapKind.Z,
    "z": MapKind.Z,
    "f map": MapKind.F,
    "f": MapKind.F,
    "chi squared map": MapKind.CHI2,
    "x2": MapKind.CHI2,
    "p map (given null hypothesis)": MapKind.P,
    "p": MapKind.P,
    '1-p map ("inverted" probability)': MapKind.ONE_MINUS_P,
    "ip": MapKind.ONE_MINUS_P,
    "univariate-beta map": MapKind.EST,
    "u": MapKind.EST,
    "multivariate-beta map": MapKind.EST,
    "m": MapKind.EST,
    "parcellation": MapKind.LABEL,
    "pa": MapKind.LABEL,
}

#: How SPM and FSL name their statistic images.
_FOREIGN_NAMES = (
    # First: corrp names end in the statistic that they were made from.
    (re.compile(r"(^|_)corrp(_|$)", re.I), MapKind.ONE_MINUS_P),
    (re.compile(r"^spmT(_\d+)?$", re.I), MapKind.T),
    (re.compile(r"^spmF(_\d+)?$", re.I), MapKind.F),
    (re.compile(r"(^|_)zf?stat\d*$", re.I), MapKind.Z),
    (re.compile(r"(^|_)tstat\d*$", re.I), MapKind.T),
    (re.compile(r"(^|_)fstat\d*$", re.I), MapKind.F),
)


def kind_of(
    value: str | None, stem: str, intent_code: int = 0, map_type: str = ""
) -> MapKind:
    """Decide the kind of a map, the surest evidence first.

    Parameters
    ----------
    value : str or None
        NiMARE's value entity, when the file name follows its grammar.
    stem : str
        File name without extension; SPM's and FSL's names are known. FSL randomise's
        ``corrp`` images hold 1 - p.
    intent_code : int
        Intent code of the NIfTI header, 0 when there is none.
    map_type : str
        NeuroVault's word. It comes after the file name, because Neurosynth Compose sets
        it by the first letter of that name alone: ``prob`` maps are called P maps.

    Returns
    -------
    MapKind
        ``MapKind.OTHER`` when nothing tells.
    """
    if value in VALUE_KINDS:
        return VALUE_KINDS[value]
    for pattern, kind in _FOREIGN_NAMES:
        if pattern.search(stem):
            return kind
    told = map_type.strip().lower()
    if told in _MAP_TYPES:
        return _MAP_TYPES[told]
    return _INTENT_KINDS.get(intent_code, MapKind.OTHER)
