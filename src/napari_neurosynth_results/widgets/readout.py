"""What every visible map says of one place: under the mouse, or at the slices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_neurosynth_results.anatomy.coordinates import format_place
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.viewer.clusters.picking import follow_moves
from napari_neurosynth_results.viewer.clusters.readout import (
    CLUSTERS,
    PlaceReader,
    ReadoutRow,
    ReadoutWatch,
)
from napari_neurosynth_results.viewer.scene import (
    place_of_mouse,
    place_of_slices,
    weakly,
)
from napari_neurosynth_results.widgets.common.layout import PlainLabel, wrap
from napari_neurosynth_results.widgets.common.row_table import Column, RowModel

if TYPE_CHECKING:
    from napari.viewer import Viewer

_MAP, _VALUE, _P = range(3)
#: The widest number of each column.
_WIDEST = {_VALUE: "-8.543e-12", _P: "<1.18e-38"}
_COLUMN_MARGIN, _ROW_MARGIN = 10, 6
#: Titles of corrected maps differ at their end: they get a second line, no third.
_MOST_LINES = 2
_FEWEST_ROWS = 3
#: What a style sheet may put around rows.
_SPARE = 2
_UNDER_MOUSE, _AT_SLICES = "Under the mouse", "At the slices"
#: No more than 30 times a second.
_INTERVAL_MS = 33
_OF_TEST = "of the uncorrected map, as the colors and the table of clusters"
_NO_VOLUME = "Open a map: there is no volume yet."
_NO_MAP = "No map is shown."


def _map_in_full(row: ReadoutRow) -> str:
    return row.title if _is_name(row) else f"{row.title}: {MapKind(row.kind).meaning}"


def _value_in_full(row: ReadoutRow) -> str:
    told = row.text if _is_name(row) else f"{row.kind} {row.value:.6g}"
    if row.test:
        told = f"{row.test}, {_OF_TEST}; the whole cluster has {told}"
    return f"{told}, {row.effect}" if row.effect else told


def _value_in_color(row: ReadoutRow) -> str:
    """Say the value that colors and cluster table have, and of what it is."""
    return row.test or row.text


def _is_named(row: ReadoutRow) -> bool:
    """Whether a row holds a name in place of a number, and no p."""
    return row.kind == CLUSTERS or MapKind(row.kind).row.holds_labels


def _is_name(row: ReadoutRow) -> bool:
    return _is_named(row) or math.isnan(row.value)


_COLUMNS = (
    Column(
        "Map",
        "Visible maps, the topmost first",
        value=attrgetter("title"),
        tooltip=_map_in_full,
    ),
    Column(
        "Value",
        "Value of the voxel at this place; of clusters that were tested, which have "
        "one value each, that of the uncorrected map, as the colors",
        value=_value_in_color,
        tooltip=_value_in_full,
        right=True,
    ),
    Column(
        "p",
        "p of the test in this voxel; of a corrected map its q or p_FWE. Where nobody "
        "says how the p of a map counts, it is a guess, with the tail that was guessed",
        value=attrgetter("p"),
        right=True,
    ),
)


class ReadoutTable(QTableView):
    """What the visible maps say of a place, as high as its rows.

    Titles give way where the dock is narrow, numbers never do.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows = RowModel(_COLUMNS, self)
        self.setModel(self.rows)
        self.setAccessibleName("What the maps say of the place")
        self.setShowGrid(False)
        self.setWordWrap(True)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        policy = QSizePolicy.Policy
        self.setSizePolicy(policy.Ignored, policy.Maximum)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        rows.hide()
        columns.setSectionsClickable(False)
        rows.setMinimumSectionSize(1)
        columns.setMinimumSectionSize(1)
        columns.setSectionResizeMode(_MAP, QHeaderView.ResizeMode.Stretch)
        for column in _WIDEST:
            columns.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
        # Later, because a layout that is being laid out cannot be told of other sizes.
        later = Qt.ConnectionType.QueuedConnection
        columns.sectionResized.connect(self._fit_rows, later)
        self.rows.modelReset.connect(self._arrange)
        self._arrange()

    def show_rows(self, rows: Sequence[ReadoutRow]) -> None:
        """Show other rows; those of the same maps only get other numbers.

        Parameters
        ----------
        rows : sequence of ReadoutRow
            The topmost map first.
        """
        if _maps(rows) == _maps(self.rows.rows):
            self.rows.update(rows)
            self._make_room()
        else:
            self.rows.show(rows)

    def changeEvent(self, event: Any) -> None:
        """Follow another font."""
        super().changeEvent(event)
        if event.type() in (event.Type.FontChange, event.Type.StyleChange):
            self._arrange()

    def _arrange(self) -> None:
        """Make room for what the rows hold."""
        metrics = self.fontMetrics()
        for column, widest in _WIDEST.items():
            width = metrics.horizontalAdvance(widest) + _COLUMN_MARGIN
            self.horizontalHeader().resizeSection(column, width)
        self._make_room()
        self.clearSpans()
        # Clusters have names and no p of their own.
        for n, one in enumerate(self.rows.rows):
            if _is_named(one):
                self.setSpan(n, _VALUE, 1, 2)
        self._fit_rows()

    def _make_room(self) -> None:
        """Widen the column of p for those that say more than a number.

        It stays wide for as long as the maps do, so that nothing jumps.
        """
        metrics, header = self.fontMetrics(), self.horizontalHeader()
        wide = max((metrics.horizontalAdvance(r.p) for r in self.rows.rows), default=0)
        if wide + _COLUMN_MARGIN > header.sectionSize(_P):
            header.resizeSection(_P, wide + _COLUMN_MARGIN)

    def _fit_rows(self, *resized: int) -> None:
        line = self.fontMetrics().lineSpacing()
        for n in range(self.rows.rowCount()):
            lines = min(max(self.sizeHintForRow(n), line), _MOST_LINES * line)
            self.setRowHeight(n, lines + _ROW_MARGIN)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        """As high as all rows."""
        return QSize(super().sizeHint().width(), self._height(self.verticalHeader()))

    def minimumSizeHint(self) -> QSize:
        """As high as a few rows; the others are scrolled to."""
        width = super().minimumSizeHint().width()
        return QSize(width, self._height(self.verticalHeader(), _FEWEST_ROWS))

    def _height(self, rows: QHeaderView, most: int | None = None) -> int:
        """Return how high some rows are, with all that is around them."""
        heights = [rows.sectionSize(row) for row in range(rows.count())][:most]
        header = self.horizontalHeader().sizeHint().height()
        return int(header + sum(heights) + 2 * self.frameWidth() + _SPARE)


def _maps(rows: Sequence[ReadoutRow]) -> list[tuple[str, str]]:
    return [(row.title, row.kind) for row in rows]


class ReadoutPanel(QWidget):
    """Say what lies under the mouse, or at the slices while it is elsewhere.

    Parameters
    ----------
    viewer : Viewer
        Whose mouse, slices and layers to follow.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        # Not the stand-in that widgets are given: each of its answers takes longer.
        self._viewer: Any = weakly(viewer)()
        self._reader = PlaceReader(self._viewer)
        self._moved = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.timeout.connect(self.refresh)
        self.region, self.state, self.nothing = (
            PlainLabel(),
            PlainLabel(),
            PlainLabel(_NO_MAP),
        )
        font = self.region.font()
        font.setBold(True)
        self.region.setFont(font)
        self.table = ReadoutTable()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for label in (self.region, self.state, self.nothing):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
            layout.addWidget(wrap(label))
        layout.addWidget(self.table)
        layout.addStretch()
        self._follow()
        self.refresh()

    def _follow(self) -> None:
        self._watch = ReadoutWatch(self._viewer, self._later)
        # Bound methods are held weakly by napari: closing the widget ends them.
        self._viewer.events.mouse_over_canvas.connect(self._enter_or_leave)
        follow_moves(self._viewer, self._move)

    def _enter_or_leave(self, event: object = None) -> None:
        # Until it moves, napari knows where the mouse was, not where it is.
        self._moved = False
        self._later()

    def _move(self) -> None:
        self._moved = True
        self._later()

    def _later(self) -> None:
        """Refresh soon, once for everything that happens until then."""
        # Qt's part may be gone already, while somebody still holds the widget.
        with suppress(RuntimeError):
            # What is hidden is brought up to date when it is shown.
            if self.isVisible() and not self._timer.isActive():
                self._timer.start()

    def showEvent(self, event: Any) -> None:
        """Catch up with what happened while nobody looked."""
        self.refresh()
        super().showEvent(event)

    def hideEvent(self, event: Any) -> None:
        """Wait for nothing: what is closed may lose its labels before its clock."""
        self._timer.stop()
        super().hideEvent(event)

    def refresh(self) -> None:
        """Show what lies under the mouse, or at the slices."""
        mouse = place_of_mouse(self._viewer) if self._moved else None
        place = mouse or place_of_slices(self._viewer)
        if place is None:
            self._write("", _NO_VOLUME)
            self.table.show_rows(())
        else:
            readout = self._reader.read_at(place)
            which = _AT_SLICES if mouse is None else _UNDER_MOUSE
            self._write(readout.where, f"{which}: {format_place(place)}")
            self.table.show_rows(readout.rows)
        empty = not self.table.rows.rowCount()
        self.table.setVisible(not empty)
        self.nothing.setVisible(empty and place is not None)

    def _write(self, region: str, state: str) -> None:
        # An empty line would make what is below jump.
        self.region.setText(region or " ")
        self.state.setText(state)
