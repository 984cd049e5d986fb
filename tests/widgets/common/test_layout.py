"""Names of others are text wherever Qt shows them: no tag in one counts."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import (
    QAbstractItemModel,
    QAbstractListModel,
    QBuffer,
    QByteArray,
    QIODevice,
    Qt,
)
from qtpy.QtGui import QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QLabel,
    QLineEdit,
    QMenu,
    QTabWidget,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

import napari_neurosynth_results
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.viewer.clusters.cluster_layers import cluster_layer
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.plugin.reader import read
from napari_neurosynth_results.viewer.progress_bar import (
    show_error,
    show_info,
    show_warning,
)
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.widgets.common.layout import (
    ElidedLabel,
    PlainLabel,
    name_controls,
    wrap,
)
from napari_neurosynth_results.widgets.header import ElidedParagraph
from napari_neurosynth_results.widgets.maps.description import read_picture

EVIL = "<img src=x>"
ROOT = Path(napari_neurosynth_results.__file__).parent
TIP = Qt.ItemDataRole.ToolTipRole


def rich(text: object) -> bool:
    """Tell whether Qt would look for the picture that a name asks for."""
    asks = EVIL.rstrip(">")
    return asks in str(text or "") and Qt.mightBeRichText(str(text))


def texts_of(model: QAbstractItemModel) -> Iterator[Any]:
    """Give what a table or list says when the mouse rests on it."""
    one = isinstance(model, QAbstractListModel)
    rows, columns = min(model.rowCount(), 99), 1 if one else min(model.columnCount(), 9)
    for row in range(rows):
        yield model.headerData(row, Qt.Orientation.Vertical, TIP)
        yield from (model.index(row, column).data(TIP) for column in range(columns))
    for column in range(columns):
        yield model.headerData(column, Qt.Orientation.Horizontal, TIP)


def texts_in(widget: QWidget) -> Iterator[Any]:
    """Give all texts of a widget in which Qt might find tags."""
    yield from (widget.toolTip(), widget.whatsThis(), widget.statusTip())
    if isinstance(widget, QLabel):
        shown = widget.textFormat()
        if shown == Qt.TextFormat.AutoText:
            yield widget.text()
        elif shown != Qt.TextFormat.PlainText:
            yield f"<b>{widget.text()}"
    elif isinstance(widget, QTextEdit):
        yield f"<b>{widget.toHtml()}"
    elif isinstance(widget, QAbstractItemView) and widget.model() is not None:
        yield from texts_of(widget.model())
    elif isinstance(widget, QMenu) and widget.toolTipsVisible():
        yield from (action.toolTip() for action in widget.actions())


@pytest.fixture
def evil(sample_path: Path, tmp_path: Path) -> Path:
    """Write the sample so that every name in it asks for a picture."""
    folder = tmp_path / f"{EVIL} result"
    shutil.copytree(sample_path, folder)
    studies = json.loads((folder / "studyset.json").read_text("utf-8"))
    for study in studies["studies"]:
        study["name"] = EVIL + study["name"]
        for analysis in study["analyses"]:
            analysis["name"] = EVIL + analysis["name"]
    (folder / "studyset.json").write_text(json.dumps(studies), encoding="utf-8")
    shutil.copy(folder / "z.nii.gz", folder / f"{EVIL}_z.nii.gz")
    (folder / f"{EVIL}_p.nii.gz").write_text("broken")
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.slow
@pytest.mark.viewer
def test_no_widget_takes_a_name_for_html(
    evil: Path,
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    notifications: list[Any],
) -> None:
    viewer = make_napari_viewer(show=True)
    for one in plugin.get_manifest(PLUGIN).contributions.widgets:
        viewer.window.add_plugin_dock_widget(PLUGIN, one.display_name)
    viewer.open(str(evil), plugin=PLUGIN)
    ours = [layer for layer in viewer.layers if map_of(layer) is not None]
    for layer in ours:
        viewer.layers.selection.active = layer
        QTest.qWait(100)
    statmap = map_of(ours[0])
    assert statmap is not None
    clusters = cluster_layer(viewer, statmap)
    assert clusters is not None
    clusters.selected_label = 1
    QTest.qWait(500)
    # What a page shows is filled in when it is seen.
    for tabs in viewer.window._qt_window.findChildren(QTabWidget):
        for index in range(tabs.count()):
            tabs.setCurrentIndex(index)
            QTest.qWait(100)
    seen = 0
    bad: dict[str, str] = {}
    for widget in QApplication.allWidgets():
        for text in texts_in(widget):
            seen += "<" in str(text or "") and "img src" in str(text)
            if rich(text):
                bad[f"{type(widget).__name__} {widget.objectName()}"] = str(text)[:80]
    assert bad == {}
    # Else nothing was tried.
    assert seen >= 5
    told = [str(one.message) for one in notifications]
    assert any("img src" in text for text in told)
    assert not any(map(rich, told))
    for layer in viewer.layers:
        features = getattr(layer, "features", None)
        names = [] if features is None else features.to_numpy().ravel().tolist()
        assert not any(map(rich, [layer.name, *names]))


@pytest.mark.parametrize("show", [show_info, show_warning, show_error])
def test_a_notification_shows_a_name_as_it_is(
    show: Callable[[str], None], notifications: list[Any]
) -> None:
    show(f"Opened {EVIL}")
    (one,) = notifications
    assert not rich(one.message)
    assert one.message.replace("\u200b", "") == f"Opened {EVIL}"


def test_what_napari_tells_of_a_file_that_is_not_there_is_text(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="does not exist") as told:
        read(str(tmp_path / EVIL))
    assert not rich(told.value)


@pytest.mark.slow
def test_notifications_and_labels_go_through_one_place() -> None:
    """A list of who may: without it the next dialog forgets."""
    may = {
        "napari.utils.notifications": {"viewer/progress_bar.py"},
        "QLabel": {"widgets/common/layout.py"},
        "QMessageBox": set(),
        "QToolTip": set(),
    }
    found: dict[str, set[str]] = {name: set() for name in may}
    for folder in ("viewer", "widgets"):
        for path in (ROOT / folder).rglob("*.py"):
            where = path.relative_to(ROOT).as_posix()
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module in may:
                    found[node.module].add(where)
                called = isinstance(node, ast.Call) and getattr(node.func, "id", "")
                bases = getattr(node, "bases", [])
                for name in (called, *(getattr(base, "id", "") for base in bases)):
                    if name in may:
                        found[name].add(where)
    assert found == may


def encoded(kind: str, width: int = 8, height: int = 8) -> bytes:
    """Return a picture in a format of Qt's."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    picture = QImage(width, height, QImage.Format.Format_Grayscale8)
    picture.fill(128)
    assert picture.save(buffer, kind)
    return bytes(QByteArray(buffer.data()).data())


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_pictures_of_maps_are_shown(kind: str) -> None:
    picture = read_picture(encoded(kind))
    assert picture is not None
    assert (picture.width(), picture.height()) == (8, 8)


@pytest.mark.parametrize("kind", ["bmp", "ppm", "xpm"])
def test_pictures_in_other_formats_are_not_read(kind: str) -> None:
    assert read_picture(encoded(kind)) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>',
        b"\x89PNG\r\n\x1a\n" + b"<svg/>",
        encoded("png", 5000, 5000),
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_what_is_no_picture_or_a_bomb_is_not_read(content: bytes) -> None:
    assert read_picture(content) is None


# --- a line that may be too long ------------------------------------------------------


def drawn(label: QLabel, width: int, height: int = 20) -> QImage:
    """Draw a label as wide as there is room."""
    label.resize(width, height)
    return label.grab().toImage()


def test_a_line_without_room_ends_in_an_ellipsis_and_says_all_in_its_tooltip(
    qapp: Any,
) -> None:
    whole = f"Not shown: a line (Shapes), {EVIL}"
    label, plain = ElidedLabel(), PlainLabel()
    label.say(whole)
    metrics, elide = label.fontMetrics(), Qt.TextElideMode.ElideRight
    wide = metrics.horizontalAdvance(whole) + 20
    for width in (wide, 150):
        plain.setText(metrics.elidedText(whole, elide, width))
        assert plain.text().endswith("…") == (width < wide)
        assert drawn(label, width) == drawn(plain, width)
    # Nothing of it is lost: by mouse, by screen reader, and for who copies it.
    assert label.text() == whole
    assert EVIL[1:-1] in label.toolTip()
    assert not rich(label.toolTip())
    label.setSelection(0, len(whole))
    assert label.selectedText() == whole


def test_the_numbers_at_the_end_of_a_line_are_seen_before_a_long_name(
    qapp: Any,
) -> None:
    name, numbers = "banks of the superior temporal sulcus R", "   z 3.09   p .001"
    label, plain = ElidedLabel(), PlainLabel()
    label.say(name, numbers)
    metrics, elide = label.fontMetrics(), Qt.TextElideMode.ElideRight
    assert label.text() == name + numbers
    room = 200 - metrics.horizontalAdvance(numbers)
    plain.setText(metrics.elidedText(name, elide, room) + numbers)
    assert plain.text().endswith(f"…{numbers}")
    assert drawn(label, 200) == drawn(plain, 200)


def test_a_sentence_of_more_lines_than_there_is_room_for_ends_with_an_ellipsis(
    qapp: Any,
) -> None:
    words = ["There", "are", "some", "words", "in", "each", "line"]
    lines = [" ".join([word, *words]) for word in ("One:", "Two:", "Three:", "Four:")]
    label, plain = ElidedParagraph(), PlainLabel()
    plain.setAlignment(Qt.AlignmentFlag.AlignTop)
    metrics = label.fontMetrics()
    # The first word of the next line would not fit any more.
    width = max(map(metrics.horizontalAdvance, lines)) + 2
    for together in (" ", "\n"):
        label.setText(whole := together.join(lines))
        for n in (1, 2, 3, 4):
            size = (width, n * metrics.lineSpacing() + 2)
            shown = lines[:n]
            if n < 4:
                rest = " ".join(lines[n - 1 :])
                shown[-1] = metrics.elidedText(rest, Qt.TextElideMode.ElideRight, width)
                assert shown[-1].endswith("…")
            plain.setText("\n".join(shown))
            assert drawn(label, *size) == drawn(plain, *size)
        assert label.text() == whole


def test_no_line_ends_within_a_relation(qapp: Any) -> None:
    words = "6 of 13 clusters significant at p_FWE <= .05"
    whole = f"{words}, z >= 3.09"
    before = words.removesuffix(" p_FWE <= .05")
    for label in (wrap(PlainLabel()), ElidedParagraph()):
        plain = wrap(PlainLabel())
        for one in (label, plain):
            one.setAlignment(Qt.AlignmentFlag.AlignTop)
        label.setText(whole)
        metrics = label.fontMetrics()
        width = metrics.horizontalAdvance(f"{before} p_FWE <=") + 4
        for lines in (2, 4):
            plain.setText(f"{before}\n{whole.removeprefix(before).strip()}")
            size = (width, lines * metrics.lineSpacing() + 2)
            assert drawn(label, *size) == drawn(plain, *size)
        # What is read and copied is what was written.
        assert label.text() == whole
        label.setSelection(0, len(whole))
        QTest.keyClick(label, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
        clipboard = QApplication.clipboard()
        assert clipboard is not None
        assert clipboard.text() == whole


def test_a_control_is_named_by_a_title_and_not_by_what_changes(qapp: Any) -> None:
    tabs, page = QTabWidget(), QWidget()
    layout, fields = QVBoxLayout(page), []
    for label in (PlainLabel(), ElidedLabel(), wrap(PlainLabel())):
        label.setText("Insula R")
        fields.append(QLineEdit())
        layout.addWidget(label)
        layout.addWidget(fields[-1])
    tabs.addTab(page, "Regions")
    name_controls(tabs)
    names = [one.accessibleName() for one in fields]
    assert names == ["Insula R", "Regions", "Regions"]
    tabs.close()
