"""What there is to say of a map and of its result, with links to the web."""

from __future__ import annotations

import html
from collections.abc import Iterable
from concurrent.futures import Future
from functools import lru_cache
from typing import Any

from qtpy.QtCore import QBuffer, QByteArray, QIODevice, Qt, QTimer
from qtpy.QtGui import QImage, QImageReader, QPixmap
from qtpy.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.report.methods import (
    corrections_of,
    readable_methods,
)
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.viewer.layers import REASON_KEY, map_of
from napari_neurosynth_results.viewer.progress_bar import start_thread
from napari_neurosynth_results.widgets.common.layout import PlainLabel, wrap

_PICTURE_HEIGHT = 64
_POLL_MS = 100
#: What files of these formats begin with -> the name that Qt has for it.
_PICTURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg"}
_MOST_PIXELS = 1 << 24
_LONGEST = 1500
#: Of what is said of a map and of its result together, at least.
_HEIGHT = 200
_FEW_LINES = 60
#: Readable on napari's dark and on its light ground.
_LINK = "#3d9be9"


class MapDescription(QWidget):
    """A text on one map, and the picture of it that a server made.

    Attributes
    ----------
    holds : QPushButton
        By which a user says what the map holds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.picture = PlainLabel()
        self.text = wrap(PlainLabel())
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.picture)
        layout.addWidget(self.text, 1)
        self.holds = QPushButton("This map holds...")
        self.holds.setToolTip("Say what its numbers are, where name or header do not")
        self.holds.hide()
        layout.addWidget(self.holds, 0, Qt.AlignmentFlag.AlignTop)
        self._statmap: StatMap | None = None
        #: Fetches the picture of the map.
        self._job: Job | None = None
        self._future: Future[bytes] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._poll)
        self.picture.hide()

    def say(self, text: str) -> None:
        """Show a text and no picture."""
        self._statmap = None
        self._timer.stop()
        if self._job is not None:
            self._job.cancel()
            self.destroyed.disconnect(self._job.cancel)
            self._job = None
        self.picture.hide()
        self.holds.hide()
        self.text.setText(text)

    def show_map(self, statmap: StatMap, layers: Iterable[Any]) -> None:
        """Say what a map is, and why it is shown as it is."""
        lines = [statmap.file.filename, statmap.kind.meaning]
        layer = next((one for one in layers if map_of(one) is statmap), None)
        # What lies below the maps is shown for no threshold.
        if layer is not None and REASON_KEY in layer.metadata:
            lines.append(f"Shown: {layer.metadata[REASON_KEY]}")
        text = "\n".join([*lines, *statmap.notices])
        self.holds.setEnabled(statmap.at_hand)
        if statmap is self._statmap:
            self.text.setText(text)
            return
        self.say("")
        self.text.setText(text)
        self._statmap = statmap
        self.holds.show()
        thumbnail = getattr(statmap.file, "thumbnail", None)
        if thumbnail is not None:
            self._job = Job()
            self.destroyed.connect(self._job.cancel)
            self._future = start_thread(thumbnail, self._job)
            self._timer.start()

    def _poll(self) -> None:
        """Show the picture when it has come; without one nothing is missing."""
        if self._future is None or not self._future.done():
            return
        self._timer.stop()
        try:
            picture = read_picture(self._future.result())
        except ResultsError:
            return
        finally:
            self._future = None
        if picture is not None:
            smooth = Qt.TransformationMode.SmoothTransformation
            scaled = picture.scaledToHeight(_PICTURE_HEIGHT, smooth)
            self.picture.setPixmap(QPixmap.fromImage(scaled))
            self.picture.show()


def read_picture(content: bytes) -> QImage | None:
    """Read a picture that a server made of a map.

    Returns
    -------
    QImage or None
        None for what is no PNG or JPEG of a sensible size: other formats open files of
        this machine, or take hours, and what it becomes is known before it is decoded.
    """
    kind = next((k for begin, k in _PICTURES.items() if content.startswith(begin)), "")
    if not kind:
        return None
    buffer = QBuffer()
    buffer.setData(QByteArray(content))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer, QByteArray(kind.encode()))
    reader.setAutoDetectImageFormat(False)
    size = reader.size()
    if not 0 < size.width() * size.height() <= _MOST_PIXELS:
        return None
    picture = reader.read()
    return None if picture.isNull() else picture


def description_browser() -> QTextBrowser:
    """Make the place where a result is described."""
    browser = QTextBrowser()
    browser.setOpenExternalLinks(True)
    # It gives way to what there is to say of a map.
    browser.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
    browser.setMinimumHeight(_FEW_LINES)
    browser.setAccessibleName("About the result")
    return browser


def below_list(about_map: QWidget, about_result: QWidget) -> QWidget:
    """Put two texts below each other, so that the list above them keeps its rows.

    A second click on an eye would be one on another, if rows moved with the first.
    """
    both = QWidget()
    both.setMinimumHeight(_HEIGHT)
    layout = QVBoxLayout(both)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(about_map)
    layout.addWidget(about_result, 1)
    return both


@lru_cache(maxsize=8)
def _methods_in_words(methods: str, references: str) -> str:
    """Write LaTeX as plain text, as it is where the libraries are not installed."""
    try:
        return readable_methods(methods, references).text
    except ResultsError:
        return methods


def description_html(results: ResultSet) -> str:
    """Describe a result: title, authors, methods and links; what others wrote is text.

    Returns
    -------
    str
        HTML in which only our own tags count.
    """
    about = results.about
    parts = [f"<b>{html.escape(results.title)}</b>"]
    if about.private:
        parts[0] += " (private)"
    if about.authors:
        parts.append(html.escape(about.authors))
    links = [
        f'<a style="color: {_LINK}" href="{html.escape(link.url, quote=True)}">'
        f"{html.escape(link.text)}</a>"
        for link in about.links
        if link.url.startswith(("https://", "http://"))
    ]
    if links:
        parts.append(" · ".join(links))
    if about.doi:
        parts.append(f"DOI {html.escape(about.doi)}")
    # Of what is cut off nothing has to be corrected.
    corrections = " ".join(corrections_of(results.methods[:_LONGEST]))
    methods = _methods_in_words(results.methods, results.references)
    for text in (methods, corrections, about.description):
        if text:
            cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
            parts.append(html.escape(cut).replace("\n", "<br>"))
    if about.other_results:
        others = ", ".join(about.other_results)
        parts.append(f"Further results: {html.escape(others)}")
    return "<br>".join(parts)
