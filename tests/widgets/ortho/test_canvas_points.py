"""Points are painted in their colors, few of them and many."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_neurosynth_results.viewer.ortho.picture import Discs
from napari_neurosynth_results.widgets.ortho.canvas import paint_discs


def black() -> npt.NDArray[np.uint8]:
    picture = np.zeros((60, 80, 4), np.uint8)
    picture[..., 3] = 255
    return picture


def discs(
    n: int,
    *,
    symbol: str = "disc",
    face: tuple[float, ...] = (1, 0, 0, 1),
    line: tuple[float, ...] = (0, 0, 1, 1),
    border: float = 4.0,
    additive: bool = False,
) -> Discs:
    """Make discs of 20 pixels at row 20 and column 50, all at the same place."""
    return Discs(
        rows=np.full(n, 20.0),
        columns=np.full(n, 50.0),
        diameters=np.full(n, 20.0),
        borders=np.full(n, border),
        faces=np.tile(face, (n, 1)),
        lines=np.tile(line, (n, 1)),
        symbols=(symbol,) * n,
        additive=additive,
    )


@pytest.mark.parametrize("n", [1, 1500])
def test_a_disc_has_a_face_and_a_line(qapp: Any, n: int) -> None:
    picture = black()
    paint_discs(picture, discs(n))
    assert picture[20, 50].tolist() == [255, 0, 0, 255]
    assert picture[20, 50 + 10].tolist() == [0, 0, 255, 255]
    assert picture[20 - 10, 50].tolist() == [0, 0, 255, 255]
    assert not picture[20, 50 + 14, :3].any()
    assert not picture[50, 20, :3].any()


@pytest.mark.parametrize(
    ("symbol", "corner", "edge"),
    [("disc", False, True), ("square", True, True), ("diamond", False, False)],
)
def test_symbols(qapp: Any, symbol: str, corner: bool, edge: bool) -> None:
    picture = black()
    paint_discs(picture, discs(1, symbol=symbol, border=0))
    assert picture[20, 50, 0] == 255
    assert (picture[20 - 9, 50 + 8, 0] > 0) == corner
    assert (picture[20 - 6, 50 + 6, 0] > 0) == edge


def test_transparent_and_added_colors(qapp: Any) -> None:
    picture = black()
    picture[..., 1] = 100
    before = picture.copy()
    paint_discs(picture, discs(1, face=(1, 0, 0, 0), line=(1, 0, 0, 0)))
    np.testing.assert_array_equal(picture, before)
    paint_discs(picture, discs(1, face=(1, 0, 0, 1), additive=True))
    assert picture[20, 50].tolist() == [255, 100, 0, 255]
