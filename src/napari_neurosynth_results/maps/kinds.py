"""What the numbers of a map are: the table of kinds, one row a kind.

A threshold is right only for a kind of number, so nothing else in the package reads a
file name to decide what a voxel means, and nothing else keeps a list of kinds: it asks
the row. A new kind is a new row; only a new way from a value to p is new arithmetic, a
`PFormula` with its two functions in `statistics.p_values.conversion`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Self


class Tail(StrEnum):
    """Whether p counts one or both directions; ``str()`` reads as in a sentence."""

    ONE = "one-tailed"
    TWO = "two-tailed"
    NONE = "no tail"


class Zero(Enum):
    """What a voxel of exactly 0 means."""

    VALUE = "a value as any other, within the mask and outside"
    OUTSIDE = "outside of the mask"
    ABSENT = "never within the mask of a whole map"
    BACKGROUND = "no label"


class PFormula(Enum):
    """How p follows from a value.

    Attributes
    ----------
    states_p : bool
        Whether the values are p, however it is written.
    by_tail : bool
        Whether a value's sign is a direction, which p may count or not.
    n_dof : int
        How many degrees of freedom it takes.
    """

    IDENTITY = "the value is p", True, False, 0
    LOG10 = "the value is -log10 of p", True, False, 0
    LN = "the value is minus the natural logarithm of p", True, False, 0
    SIGNED_LOG10 = "its size is -log10 of p, its sign the direction", True, True, 0
    COMPLEMENT = "the value is 1 - p", True, False, 0
    NORMAL = "standard normal distribution", False, True, 0
    STUDENT_T = "Student's t distribution", False, True, 1
    CHI_SQUARE = "chi-square distribution, upper tail", False, False, 1
    FISHER_F = "F distribution, upper tail", False, False, 2
    NONE = "a value has no p", False, False, 0

    def __init__(self, _: str, states_p: bool, by_tail: bool, n_dof: int) -> None:
        self.states_p, self.by_tail, self.n_dof = states_p, by_tail, n_dof


class ColorFamily(Enum):
    """How strength becomes color."""

    STRENGTH = "from threshold to strongest, in equal steps"
    DECADES = "from threshold to smallest, by decades"
    LABELS = "one color a label"


@dataclass(frozen=True)
class Underflow:
    """The value that stands for every p too small for the float32 of a file.

    Attributes
    ----------
    value : float
        As in the file.
    log_p : float
        Natural logarithm of the largest p that it stands for.
    """

    value: float
    log_p: float


_NUMBER = (-math.inf, math.inf)
_SIZE = (0.0, math.inf)
_PROBABILITY = (0.0, 1.0)
_EITHER_TAIL = (Tail.ONE, Tail.TWO)
_NO_TAIL = (Tail.NONE,)


@dataclass(frozen=True, eq=False, kw_only=True)
class KindRow:
    """A row of the table: what is true of all maps of a kind.

    Attributes
    ----------
    symbol : str
        The field's short name.
    meaning : str
        One sentence on what the numbers are, for people.
    values : mapping of str to str
        NiMARE's value entities (old and new releases) that hold such numbers, and how
        each is called in the title of a map.
    possible : tuple of float
        The lowest and the highest value that there may be.
    zero : Zero
        What a voxel of exactly 0 means.
    p : PFormula
        How p follows from a value.
    tails : tuple of Tail
        Which tails its test may have.
    infinity_is_strongest : bool
        Whether an infinite voxel is a p value that underflowed, not rubbish.
    may_interpolate : bool
        Whether a value between two voxels' values means anything.
    may_subtract : bool
        Whether the difference of two maps' values means anything.
    colors : ColorFamily
        How strength becomes color, on the screen and on paper.
    unit : str
        What stands before a height in the reason for a first look, where it is not the
        symbol.
    written : str
        How the value of a peak is written in a paper's table, as a format.
    criteria : tuple of str
        What may be asked of a map: a ``value``, or a ``p``, ``q`` or ``bonferroni``,
        which a map beside it may state. Which of them can be answered is found out.
    underflow : Underflow, optional
        What stands for a p that underflowed, where infinity does not.
    intent : str
        NIfTI's name for it, as `nibabel` takes it; ``none`` where there is none.
    intent_codes : tuple of int
        NIfTI-1 intent codes (nifti1.h, NIFTI_INTENT_*) that mean this kind.
    map_types : tuple of str
        NeuroVault's ``map_type``, as its API shows it and as older answers stored it.
    lies_below : bool
        Whether it is what maps are laid over, and no map of results.
    shown_whole : bool
        Whether a first look shows all values, because none is more evidence than
        another.
    image_based : bool
        Whether only image-based estimators write such maps.
    """

    symbol: str
    meaning: str
    values: Mapping[str, str]
    possible: tuple[float, float]
    zero: Zero
    p: PFormula
    tails: tuple[Tail, ...]
    infinity_is_strongest: bool
    may_interpolate: bool
    may_subtract: bool
    colors: ColorFamily
    unit: str = ""
    written: str = ".3g"
    criteria: tuple[str, ...] = ("value", "p", "q", "bonferroni")
    underflow: Underflow | None = None
    intent: str = "none"
    intent_codes: tuple[int, ...] = ()
    map_types: tuple[str, ...] = ()
    lies_below: bool = False
    shown_whole: bool = False
    image_based: bool = False

    @property
    def has_p(self) -> bool:
        """Whether the values belong to a test."""
        return self.p is not PFormula.NONE

    @property
    def says_p_alone(self) -> bool:
        """Whether a value and its tail are enough to know p."""
        return self.has_p and not self.p.n_dof

    @property
    def small_is_strong(self) -> bool:
        """Whether the smaller value is the stronger one: whether it is p itself."""
        return self.p is PFormula.IDENTITY

    @property
    def signed(self) -> bool:
        """Whether a value may be negative."""
        return self.possible[0] < 0

    @property
    def lost_direction(self) -> bool:
        """Whether the values say how sure an effect is, and not which way it goes."""
        return self.has_p and not self.signed

    @property
    def is_probability(self) -> bool:
        """Whether all values lie between 0 and 1."""
        return self.possible == _PROBABILITY

    @property
    def fills_mask(self) -> bool:
        """Whether a map is 0 nowhere in the mask, and so shows where it ends."""
        return self.zero in {Zero.OUTSIDE, Zero.ABSENT}

    @property
    def called(self) -> str:
        """What its values are called where they are refused."""
        return "anatomical images" if self.lies_below else f"{self.symbol}s"

    @property
    def holds_labels(self) -> bool:
        """Whether the values are names of places, not sizes of anything."""
        return self.zero is Zero.BACKGROUND


class MapKind(StrEnum):
    """The kind of number a voxel holds; ``str()`` is the field's short name.

    In order of interest: what a user wants to see first comes first.

    Attributes
    ----------
    row : KindRow
        What is true of all maps of the kind.
    """

    _value_: str
    row: KindRow

    def __new__(cls, row: KindRow | str) -> Self:
        """Make a kind of its row; by its short name a kind is only looked up."""
        if isinstance(row, str):
            raise TypeError(f"the kind {row} has no row")
        kind = str.__new__(cls, row.symbol)
        kind._value_, kind.row = row.symbol, row
        return kind

    Z = KindRow(
        symbol="z",
        meaning="z scores, whose p depends on the tail",
        values={"z": "z"},
        possible=_NUMBER,
        zero=Zero.VALUE,
        p=PFormula.NORMAL,
        tails=_EITHER_TAIL,
        infinity_is_strongest=True,
        may_interpolate=True,
        may_subtract=True,
        colors=ColorFamily.STRENGTH,
        written=".2f",
        intent="z score",
        intent_codes=(5,),
        map_types=("z map", "z"),
    )
    T = KindRow(
        symbol="t",
        meaning="t statistics, whose p depends on degrees of freedom and tail",
        values={"t": "t"},
        possible=_NUMBER,
        zero=Zero.VALUE,
        p=PFormula.STUDENT_T,
        tails=_EITHER_TAIL,
        infinity_is_strongest=True,
        may_interpolate=True,
        may_subtract=True,
        colors=ColorFamily.STRENGTH,
        written=".2f",
        intent="t test",
        intent_codes=(3,),
        map_types=("t map", "t"),
    )
    P = KindRow(
        symbol="p",
        meaning="p values: small is strong, and 0 lies outside the mask",
        values={"p": "p"},
        possible=_PROBABILITY,
        # But a 0 within a mask that is known underflowed.
        zero=Zero.OUTSIDE,
        p=PFormula.IDENTITY,
        tails=_EITHER_TAIL,
        infinity_is_strongest=False,
        # With the 0 outside of the brain it would turn into a spurious small p.
        may_interpolate=False,
        may_subtract=False,
        colors=ColorFamily.DECADES,
        # The smallest float32 of full precision.
        underflow=Underflow(0.0, math.log(2.0**-126)),
        intent="p value",
        intent_codes=(22,),
        map_types=("p map (given null hypothesis)", "p"),
    )
    LOGP = KindRow(
        symbol="logp",
        meaning="-log10 of p: large is strong",
        values={"logp": "-log10 p"},
        unit="-log10 p",
        possible=_SIZE,
        zero=Zero.VALUE,
        p=PFormula.LOG10,
        tails=_EITHER_TAIL,
        infinity_is_strongest=True,
        may_interpolate=True,
        may_subtract=False,
        colors=ColorFamily.STRENGTH,
        written=".2f",
        intent="log10 p value",
        intent_codes=(24,),
    )
    SIGNED_LOGP = KindRow(
        symbol="signed logp",
        meaning="-log10 of p with the sign of the effect: far from 0 is strong",
        values={},
        unit="-log10 p",
        possible=_NUMBER,
        zero=Zero.VALUE,
        p=PFormula.SIGNED_LOG10,
        tails=_EITHER_TAIL,
        infinity_is_strongest=True,
        may_interpolate=True,
        may_subtract=False,
        colors=ColorFamily.STRENGTH,
        written=".2f",
    )
    LNP = KindRow(
        symbol="lnp",
        meaning="minus the natural logarithm of the p value: large is strong",
        values={},
        unit="-ln p",
        possible=_SIZE,
        zero=Zero.VALUE,
        p=PFormula.LN,
        tails=_EITHER_TAIL,
        infinity_is_strongest=True,
        may_interpolate=True,
        may_subtract=False,
        colors=ColorFamily.STRENGTH,
        written=".2f",
        intent="log p value",
        intent_codes=(23,),
    )
    CHI2 = KindRow(
        symbol="chi2",
        meaning="chi-square statistics: no sign, and p depends on degrees of freedom",
        values={"chi2": "chi2", "chiSquare": "chi2"},
        possible=_SIZE,
        zero=Zero.VALUE,
        p=PFormula.CHI_SQUARE,
        tails=_NO_TAIL,
        infinity_is_strongest=True,
        may_interpolate=True,
        may_subtract=False,
        colors=ColorFamily.STRENGTH,
        written=".2f",
        intent="chi2",
        intent_codes=(6,),
        map_types=("chi squared map", "x2"),
    )
    F = KindRow(
        symbol="F",
        meaning="F statistics: no sign, and p depends on degrees of freedom",
        values={},
        possible=_SIZE,
        zero=Zero.VALUE,
        p=PFormula.FISHER_F,
        tails=_NO_TAIL,
        infinity_is_strongest=True,
        may_interpolate=True,
        may_subtract=False,
        colors=ColorFamily.STRENGTH,
        written=".2f",
        intent="f test",
        intent_codes=(4,),
        map_types=("f map", "f"),
    )
    ONE_MINUS_P = KindRow(
        symbol="1-p",
        meaning="1 - p: close to 1 is strong",
        values={},
        possible=_PROBABILITY,
        zero=Zero.VALUE,
        p=PFormula.COMPLEMENT,
        tails=_EITHER_TAIL,
        infinity_is_strongest=False,
        may_interpolate=True,
        may_subtract=False,
        colors=ColorFamily.STRENGTH,
        # float32 knows nothing between 1 - 2 ** -24 and 1.
        underflow=Underflow(1.0, -24 * math.log(2)),
        map_types=('1-p map ("inverted" probability)', "ip"),
    )
    PROB = KindRow(
        symbol="prob",
        meaning="probabilities of activation or of a term, which are no p values",
        values={"prob": "probability"},
        possible=_PROBABILITY,
        zero=Zero.VALUE,
        p=PFormula.NONE,
        tails=_NO_TAIL,
        infinity_is_strongest=False,
        may_interpolate=True,
        may_subtract=True,
        colors=ColorFamily.STRENGTH,
        criteria=("value",),
    )
    STAT = KindRow(
        symbol="stat",
        meaning="the estimator's statistic (ALE or OF values), without a p of its own",
        # NiMARE <= 0.0.13 named it after the estimator.
        values={"stat": "statistic", "ale": "ALE value", "of": "OF value"},
        possible=_NUMBER,
        zero=Zero.VALUE,
        p=PFormula.NONE,
        tails=_NO_TAIL,
        infinity_is_strongest=False,
        may_interpolate=True,
        # It grows with the number of experiments.
        may_subtract=False,
        colors=ColorFamily.STRENGTH,
    )
    EST = KindRow(
        symbol="est",
        meaning="estimated effects, without a p of their own",
        values={"est": "estimate"},
        possible=_NUMBER,
        zero=Zero.VALUE,
        p=PFormula.NONE,
        tails=_NO_TAIL,
        infinity_is_strongest=False,
        may_interpolate=True,
        may_subtract=True,
        colors=ColorFamily.STRENGTH,
        # Read off nobody's header: other programs estimate other things.
        intent="estimate",
        map_types=("univariate-beta map", "u", "multivariate-beta map", "m"),
        image_based=True,
    )
    SE = KindRow(
        symbol="se",
        meaning="standard errors of the estimated effect",
        values={"se": "standard error"},
        possible=_SIZE,
        zero=Zero.ABSENT,
        p=PFormula.NONE,
        tails=_NO_TAIL,
        infinity_is_strongest=False,
        may_interpolate=True,
        may_subtract=False,
        colors=ColorFamily.STRENGTH,
        criteria=("value",),
        shown_whole=True,
        image_based=True,
    )
    TAU2 = KindRow(
        symbol="tau2",
        meaning="the variance between studies",
        values={"tau2": "variance between studies (tau2)"},
        possible=_SIZE,
        zero=Zero.VALUE,
        p=PFormula.NONE,
        tails=_NO_TAIL,
        infinity_is_strongest=False,
        may_interpolate=True,
        may_subtract=False,
        colors=ColorFamily.STRENGTH,
        criteria=("value",),
        shown_whole=True,
        image_based=True,
    )
    SIGMA2 = KindRow(
        symbol="sigma2",
        meaning="the variance within studies",
        values={"sigma2": "variance within studies (sigma2)"},
        possible=_SIZE,
        zero=Zero.VALUE,
        p=PFormula.NONE,
        tails=_NO_TAIL,
        infinity_is_strongest=False,
        may_interpolate=True,
        may_subtract=False,
        colors=ColorFamily.STRENGTH,
        criteria=("value",),
        shown_whole=True,
        image_based=True,
    )
    DOF = KindRow(
        symbol="dof",
        meaning="degrees of freedom, voxel by voxel",
        values={"dof": "degrees of freedom"},
        possible=_SIZE,
        zero=Zero.ABSENT,
        p=PFormula.NONE,
        tails=_NO_TAIL,
        infinity_is_strongest=False,
        may_interpolate=True,
        may_subtract=False,
        colors=ColorFamily.STRENGTH,
        criteria=("value",),
        shown_whole=True,
        image_based=True,
    )
    OTHER = KindRow(
        symbol="other",
        meaning="numbers of unknown kind",
        values={
            "spatialIntensity": "spatial intensity",
            # NiMARE <= 0.0.13
            "specificity": "specificity",
            "consistency": "consistency",
        },
        possible=_NUMBER,
        zero=Zero.VALUE,
        p=PFormula.NONE,
        tails=_NO_TAIL,
        infinity_is_strongest=False,
        may_interpolate=True,
        may_subtract=False,
        colors=ColorFamily.STRENGTH,
    )
    LABEL = KindRow(
        symbol="label",
        meaning="cluster labels: 0 is background",
        values={"label": "cluster labels"},
        possible=_SIZE,
        zero=Zero.BACKGROUND,
        p=PFormula.NONE,
        tails=_NO_TAIL,
        infinity_is_strongest=False,
        # There is nothing between two labels.
        may_interpolate=False,
        may_subtract=False,
        colors=ColorFamily.LABELS,
        criteria=(),
        intent="label",
        intent_codes=(1002,),
        map_types=("parcellation", "pa"),
    )
    ANATOMY = KindRow(
        symbol="anatomy",
        meaning="an image of a brain to lay maps over, which is no activation",
        values={},
        possible=_SIZE,
        zero=Zero.VALUE,
        p=PFormula.NONE,
        tails=_NO_TAIL,
        infinity_is_strongest=False,
        may_interpolate=True,
        may_subtract=False,
        colors=ColorFamily.STRENGTH,
        criteria=(),
        lies_below=True,
        map_types=("anatomical", "a"),
    )

    @property
    def meaning(self) -> str:
        """One sentence on what the numbers are, for people."""
        return self.row.meaning

    @property
    def has_tail(self) -> bool:
        """Whether one- or two-tailed is a question for this kind."""
        return self.row.tails != _NO_TAIL

    @property
    def infinity_is_strongest(self) -> bool:
        """Whether an infinite voxel is a p value that underflowed, not rubbish."""
        return self.row.infinity_is_strongest

    @property
    def may_interpolate(self) -> bool:
        """Whether a value between two voxels' values means anything."""
        return self.row.may_interpolate

    @property
    def may_subtract(self) -> bool:
        """Whether the difference of two maps' values means anything."""
        return self.row.may_subtract


#: NiMARE's value entity (old and new releases) -> kind.
VALUE_KINDS = {value: kind for kind in MapKind for value in kind.row.values}
#: NiMARE's values that state p, the better first: p may have underflowed where logp has
#: not.
P_VALUES = ("logp", "p")

#: NIfTI intent -> kind, and NeuroVault's word for it -> kind.
INTENT_KINDS = {code: kind for kind in MapKind for code in kind.row.intent_codes}
MAP_TYPE_KINDS = {word: kind for kind in MapKind for word in kind.row.map_types}
