"""Planes and sides of pictures of the brain: axes, letters, left and right.

Decided here once, for the screen and for paper. Axes are counted x, y, z as in MNI
space, where they grow to the right, to the front and upwards (RAS+).
"""

from __future__ import annotations

from typing import Literal, get_args

Plane = Literal["axial", "coronal", "sagittal"]
#: Whether the right of the brain is on the right of a picture (neurological), or on the
#: left, as when one stands before the patient (radiological).
Convention = Literal["neurological", "radiological"]
#: A side of the head that faces the observer.
HeadSide = Literal["left", "right", "top", "bottom", "front", "back"]
Vector = tuple[float, float, float]

PLANES: tuple[Plane, ...] = get_args(Plane)
CONVENTIONS: tuple[Convention, ...] = get_args(Convention)
#: In the order of buttons.
HEAD_SIDES: tuple[HeadSide, ...] = get_args(HeadSide)

#: The axis that a plane cuts, the one across its picture, and the one up it.
AXES: dict[str, tuple[int, int, int]] = {
    "axial": (2, 0, 1),
    "coronal": (1, 0, 2),
    "sagittal": (0, 1, 2),
}
#: What lies at the low and the high end of x, y and z.
ENDS = (("L", "R"), ("P", "A"), ("I", "S"))
#: Where an observer looks who has a side of the head before him, and what is up.
HEAD_VIEWS: dict[HeadSide, tuple[Vector, Vector]] = {
    "left": ((1, 0, 0), (0, 0, 1)),
    "right": ((-1, 0, 0), (0, 0, 1)),
    "top": ((0, 0, -1), (0, 1, 0)),
    "bottom": ((0, 0, 1), (0, 1, 0)),
    "front": ((0, -1, 0), (0, 0, 1)),
    "back": ((0, 1, 0), (0, 0, 1)),
}


def is_rightward(convention: Convention) -> bool:
    """Whether a convention has the right of the brain on the right."""
    return convention == "neurological"


def is_mirrored(plane: str, convention: Convention) -> bool:
    """Whether a slice has the low end of its axis across on the right.

    Sagittal slices have no left and right to exchange: the front is on the right in
    both conventions, as in FSLeyes and nilearn.
    """
    return AXES[plane][1] == 0 and not is_rightward(convention)


def edge_letters(
    across: int, up: int, *, rightward: bool = True, upward: bool = True
) -> dict[str, str]:
    """Say which end of the brain lies at which edge of a picture.

    Parameters
    ----------
    across, up : {0, 1, 2}
        The axes along the width and along the height of the picture.
    rightward, upward : bool
        Whether they grow to the right, and to the top.

    Returns
    -------
    dict of str to str
        By ``left``, ``right``, ``top`` and ``bottom``.

    Examples
    --------
    >>> edge_letters(0, 1)
    {'left': 'L', 'right': 'R', 'top': 'A', 'bottom': 'P'}
    >>> edge_letters(0, 1, rightward=False)["left"]
    'R'
    """
    left, right = ENDS[across] if rightward else ENDS[across][::-1]
    bottom, top = ENDS[up] if upward else ENDS[up][::-1]
    return {"left": left, "right": right, "top": top, "bottom": bottom}


def side_letters(side: HeadSide) -> tuple[str, str]:
    """Say what lies on the left and on the right when a side of the head is seen.

    In space nothing is mirrored: what is on the right follows from where the observer
    looks and what is up.

    >>> side_letters("front"), side_letters("left")
    (('R', 'L'), ('A', 'P'))
    """
    (a, b, c), (x, y, z) = HEAD_VIEWS[side]
    rightwards = (b * z - c * y, c * x - a * z, a * y - b * x)
    axis = next(n for n, step in enumerate(rightwards) if step)
    low, high = ENDS[axis]
    return (low, high) if rightwards[axis] > 0 else (high, low)


def facing_side(plane: Plane, *, mirrored: bool = False) -> HeadSide:
    """Return the side of the head that a projection onto a plane is seen from.

    Parameters
    ----------
    plane : {"axial", "coronal", "sagittal"}
        The plane that is projected onto.
    mirrored : bool
        Whether the low end of the axis across is on the right.

    Examples
    --------
    >>> facing_side("axial"), facing_side("axial", mirrored=True)
    ('top', 'bottom')
    """
    _, across, up = AXES[plane]
    edges = edge_letters(across, up, rightward=not mirrored)
    letters = edges["left"], edges["right"]
    return next(
        side
        for side, (_, upwards) in HEAD_VIEWS.items()
        if upwards[up] and side_letters(side) == letters
    )


def hemisphere_letter(x: float) -> str:
    """Return the half of the head of a place, ``L`` or ``R``; empty in the middle."""
    return ENDS[0][x > 0] if x else ""
