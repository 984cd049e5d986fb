"""A figure laid out in millimeters of paper, and written to disk whole.

Texts fit; panels, bars and legends have their places. matplotlib is loaded only when a
figure is made, and neither its GUI backends nor the user's settings are touched:
figures look alike on every machine, and are the same bytes each time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from napari_neurosynth_results.arrays import Float64Array
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import (
    check_path,
    refuse_existing,
    write_whole,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Background = Literal["black", "white"]
Color = tuple[float, float, float]

NO_MATPLOTLIB = (
    "Figures need matplotlib, which is not installed. Run:\n"
    '    pip install "napari-neurosynth-results[figures]"'
)
#: Sizes of type in points: what journals ask for at least, and a little more.
TITLE_POINTS, TEXT_POINTS, SMALL_POINTS = 8.5, 7.0, 6.5
#: Around everything, and between panels, in mm.
MARGIN, GAP_MM = 3.0, 1.5
_INK: dict[str, Color] = {"black": (0.94, 0.94, 0.94), "white": (0.08, 0.08, 0.08)}
_PAPER: dict[str, Color] = {"black": (0.0, 0.0, 0.0), "white": (1.0, 1.0, 1.0)}
_WIDTHS = (60.0, 500.0)
_MM_PER_INCH = 25.4
_MM_PER_POINT = _MM_PER_INCH / 72
_LINE = 1.3
#: Letters that are fitted to pixels are wider than their shapes by so much at most.
_HINTED = 1.05
_FONT = "DejaVu Sans"
_ONE_AT_A_TIME = threading.RLock()
#: Texts stay texts in vector files, which come out alike each time.
_SETTINGS = {
    "font.family": [_FONT],
    "svg.fonttype": "none",
    "svg.hashsalt": "napari-neurosynth-results",
    "pdf.fonttype": 42,
    "text.parse_math": False,
}


def need_matplotlib() -> None:
    """Check that figures can be drawn.

    Raises
    ------
    ResultsError
        Without matplotlib; the text says how to install it.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ResultsError(NO_MATPLOTLIB) from error


@contextmanager
def own_settings() -> Iterator[None]:
    """Draw by matplotlib's defaults and ours; the user's settings come back.

    Settings are everybody's: of two threads that draw, one waits for the other.
    """
    from matplotlib import style

    with _ONE_AT_A_TIME, style.context(["default", _SETTINGS]):
        yield


def check_page(background: str, width_mm: float) -> None:
    """Check what can be chosen of every figure.

    Raises
    ------
    ResultsError
        For another background than black or white, or a width that is no page's.
    """
    if background not in _PAPER:
        raise ResultsError(f"The background must be black or white, not {background}.")
    low, high = _WIDTHS
    if not low <= width_mm <= high:
        raise ResultsError(
            f"width_mm must be {low:g} to {high:g}: 85 for one column of a journal, "
            "180 for two."
        )


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Measure a line of text, in mm."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(_FONT, size=size, weight="bold" if bold else "normal")
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) * _MM_PER_POINT * _HINTED


def wrap_text(
    text: str, size: float, width_mm: float, *, bold: bool = False
) -> list[str]:
    """Break a text into lines that fit, between words where it can be.

    Parameters
    ----------
    text : str
        Spaces and ends of lines may become ends of lines.
    size : float
        Of the type, in points.
    width_mm : float
        The room there is.
    bold : bool
        Weight of the type.

    Returns
    -------
    list of str
        One at least.
    """
    lines, line = [], ""
    for word in text.split():
        for part in _parts(word, size, width_mm, bold):
            longer = f"{line} {part}" if line else part
            if line and text_width(longer, size, bold=bold) > width_mm:
                lines.append(line)
                line = part
            else:
                line = longer
    return [*lines, line]


def _parts(word: str, size: float, width_mm: float, bold: bool) -> Iterator[str]:
    """Break a word that is longer than a line, as names of files can be."""
    while text_width(word, size, bold=bold) > width_mm and len(word) > 1:
        n = len(word) - 1
        while n > 1 and text_width(word[:n], size, bold=bold) > width_mm:
            n -= max(1, n // 8)
        yield word[:n]
        word = word[n:]
    yield word


class Page:
    """A figure that grows downwards, block by block.

    Parameters
    ----------
    width_mm : float
        Of the paper.
    background : {"black", "white"}
        Its color.
    """

    def __init__(self, width_mm: float, background: str) -> None:
        need_matplotlib()
        check_page(background, width_mm)
        self.width = width_mm
        self.ink = _INK[background]
        self.paper = _PAPER[background]
        #: Between the margins.
        self.inner = width_mm - 2 * MARGIN
        self._height = MARGIN
        self._blocks: list[tuple[float, Callable[[Figure, float], None]]] = []
        self._texts: list[str] = []
        self._figure_height = 0.0

    def add(self, height_mm: float, draw: Callable[[Figure, float], None]) -> None:
        """Add a block.

        Parameters
        ----------
        height_mm : float
            How much room it takes.
        draw : callable
            Called with the figure and the mm from its top to the block.
        """
        self._blocks.append((self._height, draw))
        self._height += height_mm

    def space(self, height_mm: float) -> None:
        """Leave room."""
        self._height += height_mm

    def text(self, text: str, size: float = TEXT_POINTS, *, bold: bool = False) -> None:
        """Add a paragraph."""
        self._texts.append(text)
        lines = wrap_text(text, size, self.inner, bold=bold)
        step = size * _LINE * _MM_PER_POINT

        def draw(figure: Figure, top: float) -> None:
            for number, line in enumerate(lines):
                self.write(
                    figure,
                    (MARGIN, top + number * step),
                    line,
                    size=size,
                    bold=bold,
                    va="top",
                )

        self.add(len(lines) * step, draw)

    def write(
        self,
        figure: Figure,
        at: tuple[float, float],
        text: str,
        *,
        size: float = TEXT_POINTS,
        bold: bool = False,
        **options: Any,
    ) -> None:
        """Write one line of text at a place, in mm from the upper left corner."""
        x, y = at
        figure.text(
            x / self.width,
            1 - y / self._figure_height,
            text,
            fontsize=size,
            fontweight="bold" if bold else "normal",
            color=options.pop("color", self.ink),
            **options,
        )

    def axes(
        self, figure: Figure, left: float, top: float, width: float, height: float
    ) -> Axes:
        """Make bare axes at a place, in mm from the upper left corner."""
        whole = self._figure_height
        made = figure.add_axes(
            (
                left / self.width,
                1 - (top + height) / whole,
                width / self.width,
                height / whole,
            )
        )
        made.set_axis_off()
        return made

    def picture(
        self,
        figure: Figure,
        picture: Float64Array,
        place: tuple[float, float],
        size: tuple[float, float],
        extent: tuple[float, float],
    ) -> Axes:
        """Put a picture at a place.

        Parameters
        ----------
        picture : ndarray, shape (rows, columns, 3)
            Colors, the uppermost row first.
        place, size : tuple of float
            Mm from the upper left corner of the paper; width and height on it.
        extent : tuple of float
            Width and height in the unit of the axes, whose origin is the lower left
            corner.

        Returns
        -------
        Axes
            Where more can be drawn.
        """
        made = self.axes(figure, *place, *size)
        made.imshow(picture, extent=(0, extent[0], 0, extent[1]), aspect="auto")
        return made

    def finish(self) -> Figure:
        """Draw all blocks.

        Returns
        -------
        Figure
            With a canvas that no window belongs to.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._figure_height = self._height + MARGIN
        size = self.width / _MM_PER_INCH, self._figure_height / _MM_PER_INCH
        with own_settings():
            figure = Figure(figsize=size, facecolor=self.paper)
            FigureCanvasAgg(figure)
            # What it shows, for the file that it is saved to.
            figure.set_label("\n".join(self._texts))
            for top, draw in self._blocks:
                draw(figure, top)
        return figure


#: What a figure can be saved as.
FIGURE_FORMATS = (".png", ".pdf", ".svg")
_DPI = (30, 1200)
_MAKER = "napari-neurosynth-results"


def write_figure(
    figure: Figure,
    path: str | os.PathLike[str],
    *,
    dpi: float = 300,
    overwrite: bool = False,
) -> None:
    """Write a figure to a file; its extension says what to write.

    The file says what the figure shows, and carries no date: the same figure gives the
    same bytes with the same matplotlib.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Of this package.
    path : path
        ``.png``, ``.pdf`` or ``.svg``. Texts stay texts in the last two; fonts are in
        the PDF, and looked for by whoever shows the SVG.
    dpi : float
        Pixels an inch, 30 to 1200; in vector files those of brains and bars.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        Without matplotlib, for another extension or resolution, when the file exists,
        or when it cannot be written.
    """
    need_matplotlib()
    target = check_target(path, dpi, overwrite=overwrite)
    extension = os.path.splitext(target)[1].lower()

    def write(partial: str) -> None:
        with own_settings():
            figure.savefig(
                partial,
                dpi=dpi,
                format=extension[1:],
                facecolor=figure.get_facecolor(),
                metadata=_metadata(extension, str(figure.get_label())),
            )

    write_whole(target, write, overwrite=overwrite)


def check_target(
    path: str | os.PathLike[str], dpi: float, *, overwrite: bool = False
) -> str:
    """Check what a figure is to be saved as, before it is drawn.

    Parameters
    ----------
    dpi : float
        Pixels an inch.
    overwrite : bool
        Whether it may exist.

    Returns
    -------
    str
        The file.

    Raises
    ------
    ResultsError
        For another extension or resolution, or when the file exists.
    """
    known = ", ".join(FIGURE_FORMATS)
    target = check_path(path, FIGURE_FORMATS, f"figures are saved as {known}")
    low, high = _DPI
    if not low <= dpi <= high:
        raise ResultsError(f"dpi must be {low} to {high}; journals ask for 300 or 600.")
    if not overwrite:
        refuse_existing(target)
    return target


def _metadata(extension: str, told: str) -> dict[str, Any]:
    title, _, rest = told.partition("\n")
    if extension == ".png":
        # What PNG has for texts.
        safe = told.encode("latin-1", "replace").decode("latin-1")
        return {"Software": _MAKER, "Description": safe}
    if extension == ".pdf":
        return {
            "Title": title,
            "Subject": rest,
            "Creator": _MAKER,
            "CreationDate": None,
        }
    return {"Title": title, "Description": rest, "Creator": _MAKER, "Date": None}
