"""Sheets are blended voxel by voxel, whatever the pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from napari_neurosynth_results.viewer.ortho.slicing import Sheet, blend

RED = (1.0, 0.0, 0.0, 1.0)
HALF_GREEN = (0.0, 1.0, 0.0, 0.5)


def black(rows: int, columns: int) -> npt.NDArray[np.uint8]:
    picture = np.zeros((rows, columns, 4), np.uint8)
    picture[..., 3] = 255
    return picture


def sheet(
    colors: npt.ArrayLike,
    rows: npt.ArrayLike,
    columns: npt.ArrayLike,
    *,
    top: int = 0,
    left: int = 0,
    blending: str = "translucent",
    first: bool = False,
    inside: npt.NDArray[np.bool_] | None = None,
) -> Sheet:
    return Sheet(
        np.asarray(colors, np.float32),
        top,
        left,
        np.asarray(rows, np.intp),
        np.asarray(columns, np.intp),
        blending,
        first,
        inside,
    )


def test_grids_that_do_not_match_are_blended_at_every_pixel(
    rng: np.random.Generator,
) -> None:
    """The short cut through runs of equal voxels gives what pixels alone give."""
    sheets = [
        sheet(
            rng.uniform(0, 1, (4, 5, 4)),
            np.sort(rng.integers(0, 4, 20)),
            np.sort(rng.integers(0, 5, 23)),
            top=2,
            left=3,
            first=True,
        ),
        sheet(
            rng.uniform(0, 1, (7, 3, 4)),
            # As in a radiological view, where columns run backwards.
            np.sort(rng.integers(0, 7, 11))[::-1],
            np.sort(rng.integers(0, 3, 26))[::-1],
            top=6,
            blending="additive",
        ),
    ]
    quick, slow = black(24, 27), black(24, 27)
    blend(sheets, quick, fresh=True)
    blend(sheets, slow, fresh=False)
    np.testing.assert_array_equal(quick, slow)
    expected = np.zeros((24, 27, 3))
    for one in sheets:
        where = (
            slice(one.top, one.top + len(one.rows)),
            slice(one.left, one.left + len(one.columns)),
        )
        source = one.colors[np.ix_(one.rows, one.columns)]
        color, alpha, below = source[..., :3], source[..., 3:], expected[where]
        kept = 1 if one.blending == "additive" else 1 - alpha
        expected[where] = np.clip(color * alpha + below * kept, 0, 1)
    assert np.abs(quick[..., :3] - 255 * expected).max() <= 0.51
    assert (quick[..., 3] == 255).all()


@pytest.mark.parametrize(
    ("blending", "expected"),
    [
        ("translucent", (128, 128, 0)),
        ("translucent_no_depth", (128, 128, 0)),
        ("additive", (255, 128, 0)),
        ("minimum", (0, 0, 0)),
        ("multiplicative", (0, 0, 0)),
        ("opaque", (0, 255, 0)),
    ],
)
def test_ways_of_blending(blending: str, expected: tuple[int, ...]) -> None:
    picture = black(1, 2)
    below = sheet([[RED]], [0], [0, 0], first=True)
    above = sheet([[HALF_GREEN]], [0], [0], left=1, blending=blending)
    blend([below, above], picture, fresh=True)
    assert tuple(picture[0, 0, :3]) == (255, 0, 0)
    assert tuple(picture[0, 1, :3]) == pytest.approx(expected, abs=1)


def test_what_a_sheet_does_not_cover_stays() -> None:
    picture = black(1, 2)
    below = sheet([[RED]], [0], [0, 0], first=True)
    above = sheet(
        [[HALF_GREEN, HALF_GREEN]],
        [0],
        [0, 1],
        blending="opaque",
        inside=np.array([[True, False]]),
    )
    blend([below, above], picture, fresh=True)
    assert picture[0, :, :3].tolist() == [[0, 255, 0], [255, 0, 0]]


def test_no_sheets_change_nothing() -> None:
    picture = black(3, 4)
    picture[1, 2, 0] = 7
    before = picture.copy()
    blend([], picture, fresh=False)
    np.testing.assert_array_equal(picture, before)
