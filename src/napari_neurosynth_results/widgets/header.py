"""The head of the panel: the result, the map, what was found, and the place."""

from __future__ import annotations

import os
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, QTimer, QUrl, Signal
from qtpy.QtGui import QDesktopServices, QPainter, QTextLayout
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_neurosynth_results.anatomy.coordinates import format_place
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.results import ResultSet, result_of
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.sources.opening import is_link
from napari_neurosynth_results.viewer import shown_maps
from napari_neurosynth_results.viewer.canvas import unbroken
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
)
from napari_neurosynth_results.viewer.clusters.readout import (
    PlaceReader,
    ReadoutWatch,
)
from napari_neurosynth_results.viewer.layers import (
    REASON_KEY,
    UNDERLAY_KEY,
    holds_maps,
    is_seen,
    map_of,
)
from napari_neurosynth_results.viewer.napari_private import unproxied
from napari_neurosynth_results.viewer.scene import place_of_slices
from napari_neurosynth_results.viewer.settings import read_settings
from napari_neurosynth_results.widgets.common.layout import (
    ElidedLabel,
    PlainLabel,
    without_mnemonic,
    wrap,
)
from napari_neurosynth_results.widgets.common.place_fields import go_to_place
from napari_neurosynth_results.widgets.maps.opener import ResultOpener, recent_sources

if TYPE_CHECKING:
    from napari.viewer import Viewer

_FILES = "Maps and zips (*.nii *.nii.gz *.hdr *.img *.mgz *.mgh *.zip)"
_SOURCE = "Paste a link, an id or a path"
_TUTORIAL = "https://napari-neurosynth-results.readthedocs.io/en/latest/tutorial.html"
_NO_MAP = "No map is shown. Choose one above."
_HIDDEN = "This map is hidden. "
_EMPTY = (
    "Nothing is open. Paste the link of a NeuroVault collection or of a Neurosynth "
    "Compose meta-analysis, open a NiMARE folder, a zip or a NIfTI map, or try the "
    "sample."
)
#: napari draws the arrow of a menu over the text.
_NO_ARROW = "QToolButton::menu-indicator { image: none; }"
_SHORTEST = 12
_LINES = 3
_PLACE_WIDTH = 104
#: No more than 30 times a second.
_INTERVAL_MS = 33


class Header(QWidget):
    """What is in sight whatever the tab.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer to follow.
    opener : ResultOpener
        Opens results and brings maps.
    """

    #: Another result is worked with, None for none.
    result_chosen = Signal(object)

    def __init__(
        self, napari_viewer: Viewer, opener: ResultOpener, parent: QWidget
    ) -> None:
        super().__init__(parent)
        # Not the stand-in that widgets are given: each of its answers takes longer.
        self._viewer = unproxied(napari_viewer)
        self._opener = opener
        #: Chosen here while no map of it is shown, but that of another result.
        self._asked: ResultSet | None = None
        self._beside: StatMap | None = None
        self._listed: list[ResultSet] = []
        self._told_of: ResultSet | None = None
        self._maps: list[StatMap] = []
        self._clusters: Any = None
        #: What the window waits for.
        self._waits = ""
        self._make()
        self._arrange()
        self._connect()
        self.source_row.hide()
        self.said.hide()
        self.refresh()

    # --- what it is made of -----------------------------------------------------------

    def _make(self) -> None:
        self.results = _combo("Result", "Results that are open")
        self.open = QToolButton()
        self.open.setText("Open...")
        self.open.setStyleSheet(_NO_ARROW)
        self.open.setToolTip("Open a link, a folder, files, or what was open before")
        self.open.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.open.setMenu(self._opening_menu())
        self.help = QToolButton()
        self.help.setText("?")
        self.help.setStyleSheet(_NO_ARROW)
        self.help.setAccessibleName("Help")
        self.help.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.help.setMenu(self._help_menu())
        self.source = QLineEdit()
        self.source.setPlaceholderText(_SOURCE)
        self.source.setClearButtonEnabled(True)
        self.source.setAccessibleName(_SOURCE)
        self.go = QPushButton("Open")
        self.empty = QWidget()
        self.paste = QPushButton("Paste a link")
        self.paste.setToolTip("Open the link, id or path that is on the clipboard")
        self.folder = QPushButton("Open a folder...")
        self.sample = QPushButton("Try the sample")
        self.said = wrap(PlainLabel())
        self.map = _combo("Map", "The map that is shown; choosing one hides the others")
        self.add = QToolButton()
        self.add.setText("+ add")
        self.add.setStyleSheet(_NO_ARROW)
        self.add.setToolTip("Lay another map over the one that is shown")
        self.add.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.overlays = QMenu(self.add)
        self.add.setMenu(self.overlays)
        self.solo = QToolButton()
        self.solo.setText("solo")
        self.solo.setToolTip("Hide all maps but this one")
        self.sentence = ElidedParagraph()
        self.sentence.setAccessibleName("What was found")
        self.sentence.setContentsMargins(0, 0, 0, 0)
        self.place = PlaceLine(self._viewer, self)

    def showEvent(self, event: Any) -> None:
        """Give the sentence its room, in the font that there is by now."""
        super().showEvent(event)
        # As high for any sentence, so that nothing below it moves.
        line = self.sentence.fontMetrics().lineSpacing()
        self.sentence.setFixedHeight(_LINES * line + 2)

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        self.result_row = _in_row(self.results, self.open, self.help)
        self.source_row = _in_row(self.source, self.go)
        self.map_row = _in_row(self.map, self.add, self.solo)
        three = QHBoxLayout(self.empty)
        three.setContentsMargins(0, 0, 0, 0)
        for button in (self.paste, self.folder, self.sample):
            three.addWidget(button)
        for widget in (
            *(self.result_row, self.source_row, self.empty, self.said),
            *(self._opener.background_job, self.map_row, self.sentence, self.place),
        ):
            layout.addWidget(widget)
        for label in (self.said, self.sentence):
            # Begins where the lists above begin.
            label.setStyleSheet("padding: 0px")
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

    def _opening_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.addAction("Link, id or path", self.ask_for_source)
        menu.addAction("Folder...", self.choose_folder)
        menu.addAction("Files or a zip...", self.choose_files)
        menu.addAction("Sample", self.open_sample)
        self.recent = menu.addMenu("Recent")
        # Results of one name are told apart by where they are.
        self.recent.setToolTipsVisible(True)
        self.recent.aboutToShow.connect(self.list_recent)
        return menu

    def _help_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.addAction("Tutorial", partial(QDesktopServices.openUrl, QUrl(_TUTORIAL)))
        menu.addAction("Copy diagnostics", self.copy_diagnostics)
        return menu

    def copy_diagnostics(self) -> None:
        """Put what somebody needs to help on the clipboard."""
        from napari_neurosynth_results.widgets.commands import copy_diagnostics

        copy_diagnostics(self._viewer)

    def _connect(self) -> None:
        self.results.activated.connect(self._choose_result)
        self.source.returnPressed.connect(self._open_typed)
        self.go.clicked.connect(self._open_typed)
        self.paste.clicked.connect(self.paste_source)
        self.folder.clicked.connect(self.choose_folder)
        self.sample.clicked.connect(self.open_sample)
        self.map.activated.connect(self._choose_map)
        self.overlays.aboutToShow.connect(self.list_overlays)
        self.solo.clicked.connect(self._show_alone)
        self._opener.changed.connect(self.refresh)
        self._opener.opened.connect(self._has_opened)
        self._opener.told.connect(self._tell)
        self._watch = shown_maps.LayerWatch(self._viewer, self.refresh)

    # --- what is worked with ----------------------------------------------------------

    @property
    def result(self) -> ResultSet | None:
        """The result that is worked with: that of the map, unless another was asked."""
        open_now = self._opener.results
        if self._asked is not None and self._asked in open_now:
            return self._asked
        statmap = shown_maps.current_map(self._viewer)
        if statmap is not None:
            return result_of(statmap)
        return open_now[0] if open_now else None

    def refresh(self, event: object = None) -> None:
        """Say again what is open and what is shown."""
        statmap = shown_maps.current_map(self._viewer)
        if statmap is not None and (
            statmap.results is self._asked or statmap is not self._beside
        ):
            # A map that came to be shown since tells from now on.
            self._asked = None
        self._list_results()
        results = self.result
        if statmap is not None and statmap.results is not results:
            # What is said of it would be read as said of the result above.
            statmap = None
        is_open = results is not None
        self.empty.setVisible(not is_open)
        self.map_row.setVisible(is_open)
        if not is_open:
            self.source_row.show()
        self._list_maps(results, statmap)
        self._follow_clusters(statmap)
        self._show_solo()

    def _list_results(self) -> None:
        """List the results; a title that was there before gets a number."""
        found, now = self._opener.results, self.result
        titles = [results.title for results in found]
        with QSignalBlocker(self.results):
            if found != self._listed:
                self.results.clear()
                for n, (title, results) in enumerate(zip(titles, found, strict=True)):
                    again = titles[:n].count(title)
                    named = f"{title} ({again + 1})" if again else title
                    self.results.addItem(named, results)
                self._listed = found
            self.results.setCurrentIndex(found.index(now) if now in found else -1)
        self.results.setEnabled(bool(found))
        if now is not self._told_of:
            self._told_of = now
            self.result_chosen.emit(now)

    def _list_maps(self, results: ResultSet | None, statmap: StatMap | None) -> None:
        maps = list(results.maps.values()) if results is not None else []
        with QSignalBlocker(self.map):
            if maps != self._maps:
                self.map.clear()
                for one in maps:
                    self.map.addItem(one.short_title, one)
                    tip = f"{one.title}\n{one.file.filename}\n{one.kind.meaning}"
                    self.map.setItemData(
                        self.map.count() - 1, for_qt(tip), Qt.ItemDataRole.ToolTipRole
                    )
                self._maps = maps
            self.map.setCurrentIndex(maps.index(statmap) if statmap in maps else -1)
        self.map.setToolTip(for_qt(self.map.currentText()) or "Choose a map")

    def _choose_result(self, row: int) -> None:
        results = self.results.itemData(row)
        shown_maps.show_first_of(self._viewer, results)
        self._work_with(results)

    def _work_with(self, results: ResultSet) -> None:
        """Go to a result, whether or not a map of it is shown."""
        self._asked, self._beside = results, shown_maps.current_map(self._viewer)
        self.refresh()

    def _choose_map(self, row: int) -> None:
        statmap = self.map.itemData(row)
        self._opener.show(statmap)
        # Until it has come, the list says what is shown.
        self.refresh()

    def list_overlays(self) -> None:
        """List the maps that can be laid over what is shown."""
        self.overlays.clear()
        for statmap in self._maps:
            if not shown_maps.is_shown(self._viewer, statmap):
                self.overlays.addAction(
                    without_mnemonic(statmap.short_title),
                    partial(self._opener.lay_over, [statmap]),
                )

    def _show_alone(self) -> None:
        statmap = shown_maps.current_map(self._viewer)
        if statmap is not None:
            self._opener.show(statmap)

    def _show_solo(self) -> None:
        # An image of a brain below the maps is not hidden by it.
        shown = sum(
            is_seen(layer)
            for layer in self._viewer.layers
            if map_of(layer) is not None and UNDERLAY_KEY not in layer.metadata
        )
        self.solo.setEnabled(shown > 1)

    # --- what was found ---------------------------------------------------------------

    def _follow_clusters(self, statmap: StatMap | None) -> None:
        found = cluster_layer(self._viewer, statmap) if statmap is not None else None
        if found is not self._clusters:
            if self._clusters is not None:
                self._clusters.events.features.disconnect(self._say_what_was_found)
            self._clusters = found
            if found is not None:
                # The features are announced whenever the clusters change.
                found.events.features.connect(self._say_what_was_found)
        self._say_what_was_found()

    def _say_what_was_found(self, event: object = None) -> None:
        clusters = clusters_of(self._clusters) if self._clusters is not None else None
        layer = shown_maps.current_layer(self._viewer)
        if layer is not None and map_of(layer) not in self._maps:
            layer = None
        if clusters is not None:
            eye = ""
            if shown_maps.is_hidden(self._viewer, clusters.statmap):
                eye = _HIDDEN
            self.say(eye + str(clusters), *clusters.notices)
        elif layer is not None:
            self.say(str(layer.metadata.get(REASON_KEY, "")))
        elif under_way := self._opener.doing or self._waits:
            self.say(f"{under_way} ...")
        else:
            self.say(_NO_MAP if self.result is not None else _EMPTY)

    def tell_of_wait(self, what: str) -> None:
        """Say what the window waits for, as long as there is no map to speak of."""
        if what != self._waits:
            self._waits = what
            self._say_what_was_found()

    def say(self, text: str, *more: str) -> None:
        """Say what was found; what does not fit, and more, is in the tooltip."""
        self.sentence.setText(text)
        self.sentence.setToolTip(for_qt("\n".join((text, *more))))

    # --- opening ----------------------------------------------------------------------

    def ask_for_source(self) -> None:
        """Show the line for a link, an id or a path, and go to it."""
        self.source_row.show()
        self.source.setFocus()

    def paste_source(self) -> None:
        """Open what is on the clipboard; what nobody can open is put into the line."""
        self.ask_for_source()
        self._tell("")
        self.source.clear()
        self.source.paste()
        text = self.source.text().strip()
        if os.path.exists(text) or is_link(text, read_settings().online):
            self._open_typed()

    def choose_folder(self) -> None:
        """Ask for a folder, and open it."""
        if path := QFileDialog.getExistingDirectory(self, "Open a folder"):
            self.open_source(path)

    def choose_files(self) -> None:
        """Ask for maps or a zip, and open them."""
        paths, _ = QFileDialog.getOpenFileNames(self, "Open", "", _FILES)
        if paths:
            self.open_source(paths[0] if len(paths) == 1 else paths)

    def open_sample(self) -> None:
        """Open the meta-analysis that comes with the plugin."""
        self.open_source(sample_folder())

    def list_recent(self) -> None:
        """List the sources that were opened last."""
        self.recent.clear()
        for one in recent_sources(read_settings().online):
            action = self.recent.addAction(without_mnemonic(one.title))
            action.setToolTip(for_qt(one.source))
            action.triggered.connect(partial(self.open_source, one.source))
        if self.recent.isEmpty():
            self.recent.addAction("nothing yet").setEnabled(False)

    def open_source(self, source: str | list[str], *clicked: object) -> None:
        """Open a source, or go to it where it is open."""
        self._tell("")
        self._opener.open(source)

    def _open_typed(self) -> None:
        if text := self.source.text().strip():
            self.open_source(text)

    def _has_opened(self, results: ResultSet) -> None:
        self.source.clear()
        self.source_row.hide()
        if holds_maps(results) or shown_maps.current_map(self._viewer) is None:
            self._work_with(results)
        else:
            # An image of a brain lies below the map that is worked with.
            self.refresh()

    def _tell(self, text: str) -> None:
        """Say why a source was not opened."""
        self.said.setText(text)
        self.said.setVisible(bool(text))


class ElidedParagraph(PlainLabel):
    """Lines, of which the last ends with an ellipsis where there is no room for all.

    The whole is what is copied, and what a screen reader says.
    """

    def __init__(self) -> None:
        super().__init__()
        wrap(self)
        self.setAlignment(Qt.AlignmentFlag.AlignTop)

    def paintEvent(self, event: Any) -> None:
        """Draw as many lines as there is room for; all while somebody selects."""
        room, metrics = self.contentsRect(), self.fontMetrics()
        text = unbroken(self.text())
        starts = self._starts_of_lines(text, room.width())
        most = max(1, room.height() // metrics.lineSpacing())
        if len(starts) <= most or self.hasSelectedText():
            super().paintEvent(event)
            return
        kept = [*starts[:most], None]
        lines = [text[start:end].strip() for start, end in pairwise(kept)]
        last = lines[-1].replace("\n", " ")
        lines[-1] = metrics.elidedText(last, Qt.TextElideMode.ElideRight, room.width())
        painter = QPainter(self)
        self.style().drawItemText(
            *(painter, room, int(self.alignment()), self.palette(), self.isEnabled()),
            "\n".join(lines),
            self.foregroundRole(),
        )
        painter.end()

    def _starts_of_lines(self, text: str, width: int) -> list[int]:
        """Return where each line begins, as Qt breaks them."""
        laid = QTextLayout(text.replace("\n", "\u2028"), self.font())
        starts = []
        laid.beginLayout()
        while (line := laid.createLine()).isValid():
            line.setLineWidth(width)
            starts.append(line.textStart())
        laid.endLayout()
        return starts


class PlaceLine(QWidget):
    """Where the slices are and what is there; a place that is typed is gone to.

    Parameters
    ----------
    viewer : Viewer
        The viewer to follow and to steer.
    """

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        # Not the stand-in that widgets are given: each of its answers takes longer.
        self._viewer: Any = unproxied(viewer)
        self._reader = PlaceReader(self._viewer)
        self.text = QLineEdit()
        self.text.setFixedWidth(_PLACE_WIDTH)
        self.text.setPlaceholderText("x, y, z")
        self.text.setAccessibleName("Place of the slices: x, y, z in MNI mm")
        self.text.setToolTip(
            'Where the slices are, MNI mm. Type or paste a place, as in "38, 4, 2"; '
            "Enter goes there"
        )
        self.here = ElidedLabel()
        self.here.setAccessibleName("What is there")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addWidget(self.here, 1)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.timeout.connect(self.refresh)
        self.text.returnPressed.connect(self._go)
        # Another map may be worked with, or say something else of the place.
        self._watches = (
            shown_maps.LayerWatch(self._viewer, self._later),
            ReadoutWatch(self._viewer, self._later),
        )
        self.refresh()

    def undo(self) -> None:
        """Forget what is being typed."""
        self.text.setModified(False)
        self.refresh()
        self.text.selectAll()

    def _later(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def refresh(self) -> None:
        """Show where the slices are, but for what is being typed."""
        place = place_of_slices(self._viewer)
        self.text.setEnabled(place is not None)
        if not (self.text.hasFocus() and self.text.isModified()):
            self.text.setText(format_place(place) if place is not None else "")
        where, what = self._tell_of(place) if place is not None else ("", "")
        # Regions have long names: those give way, not the numbers.
        self.here.say(where, f"   {what}" if where and what else what)

    def _tell_of(self, place: tuple[float, float, float]) -> tuple[str, str]:
        """Say which region is there, and what the map says of it."""
        readout = self._reader.read_at(place)
        layer = shown_maps.current_layer(self._viewer)
        parts: list[str] = []
        for row in readout.rows:
            if layer is not None and row.title == layer.name:
                p = f"p {row.p}" if row.p and row.p[0] in ".0123456789" else row.p
                value = row.text if row.value != row.value else f"{row.kind} {row.text}"
                # Of a map of p both would be one number.
                value = "" if p and row.kind == MapKind.P else value
                parts = [row.test or value, p, row.effect]
                break
        return readout.where, "   ".join(part for part in parts if part)

    def _go(self) -> None:
        said = go_to_place(self._viewer, self.text.text())
        self.text.setModified(False)
        self.refresh()
        self.text.selectAll()
        if said:
            self._timer.stop()
            self.here.say(said)


def _combo(name: str, tooltip: str) -> QComboBox:
    made = QComboBox()
    made.setAccessibleName(name)
    made.setToolTip(tooltip)
    made.setMinimumContentsLength(_SHORTEST)
    made.setSizeAdjustPolicy(
        QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    )
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return made


def _in_row(*widgets: QWidget) -> QWidget:
    made = QWidget()
    layout = QHBoxLayout(made)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for widget in widgets:
        layout.addWidget(widget)
    return made
