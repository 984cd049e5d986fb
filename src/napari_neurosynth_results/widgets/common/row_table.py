"""Tables of rows: what their columns hold, in which order, and how they are seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import (
    QAbstractItemModel,
    QAbstractTableModel,
    QModelIndex,
    QRect,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QIcon, QKeySequence, QPainter
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QShortcut,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.statistics.clusters.true_discoveries import write_percent
from napari_neurosynth_results.statistics.p_values.conversion import short_p
from napari_neurosynth_results.widgets.common.layout import copy_text

if TYPE_CHECKING:
    import pandas as pd

_TOP = QModelIndex()
_ROLE = Qt.ItemDataRole
#: How much of a cell its bar fills, 0 to 1.
BAR = int(_ROLE.UserRole) + 1


@contextmanager
def sorted_anew(
    model: QAbstractItemModel, order: Callable[[], Sequence[int] | npt.NDArray[Any]]
) -> Iterator[None]:
    """Let views follow the rows of a model while they are put in another order.

    What is current, chosen and unfolded stays so; a model that is reset loses it.

    Parameters
    ----------
    model : QAbstractItemModel
        Its own rows are sorted, rows below them go along.
    order : callable
        Returns a number for each row, by which it is known before and after.
    """
    model.layoutAboutToBeChanged.emit()
    # Those of rows below rows say by themselves where they belong.
    before = [one for one in model.persistentIndexList() if not one.parent().isValid()]
    numbers = [int(order()[one.row()]) for one in before]
    yield
    places = {int(number): row for row, number in enumerate(order())}
    # A row that a filter lets through no more has none.
    after = [
        model.index(places.get(number, -1), one.column())
        for number, one in zip(numbers, before, strict=True)
    ]
    model.changePersistentIndexList(before, after)
    model.layoutChanged.emit()


@dataclass(frozen=True)
class Heading:
    """What stands above a column, and how the cells below it are written.

    Attributes
    ----------
    title : str
        What the header shows.
    about : str
        What the column means: the tooltip of the header.
    style : str
        How numbers are written: a format, ``"p"``, ``"at least"`` for percent that are
        never rounded up, or ``""`` for text.
    """

    title: str
    about: str = ""
    style: str = ""

    @property
    def alignment(self) -> Any:
        """Where cells are aligned, None for Qt's own way: numbers end at the right."""
        return self._right if self.style else None

    @property
    def title_alignment(self) -> Any:
        """Where the title is aligned: as the cells below it."""
        return self.alignment or self._left

    _right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    _left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter

    def header(self, role: int) -> str | None:
        """Return what Qt's header shows in a role."""
        if role == _ROLE.DisplayRole:
            return self.title
        return self.about or None if role == _ROLE.ToolTipRole else None


@dataclass(frozen=True)
class Column(Heading):
    """A column of a table of rows.

    Attributes
    ----------
    value : callable
        Takes a row, and returns what it is sorted by and, written, what it shows.
    right : bool
        Align at the right although it is text.
    bar : bool
        Draw each number as a bar, the longest for the largest.
    tooltip : callable, optional
        Takes a row, and says in full what the cell has no room for; without it that is
        what the cell shows.
    icon : callable, optional
        Takes a row, and returns the icon or color in front of the text.
    """

    value: Callable[[Any], Any] = field(kw_only=True)
    right: bool = field(default=False, kw_only=True)
    bar: bool = field(default=False, kw_only=True)
    tooltip: Callable[[Any], str] | None = field(default=None, kw_only=True)
    icon: Callable[[Any], QIcon | QColor] | None = field(default=None, kw_only=True)

    @property
    def alignment(self) -> Any:
        """Where cells are aligned."""
        return self._right if self.right else super().alignment

    def text(self, row: Any) -> str:
        """Write the cell of a row."""
        return cell_text(self.value(row), self.style)


class RowModel(QAbstractTableModel):
    """Rows, and the columns that show them.

    Parameters
    ----------
    columns : sequence of Column
        From left to right.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.columns = tuple(columns)
        self._given: tuple[Any, ...] = ()
        self._rows: tuple[Any, ...] = ()
        #: Of each row, where it stands among those that were given.
        self._order: Sequence[int] = ()
        self._sorted_by: tuple[int, bool] | None = None

    @property
    def rows(self) -> tuple[Any, ...]:
        """What is shown, from top to bottom."""
        return self._rows

    def show(self, rows: Sequence[Any]) -> None:
        """Show other rows; where they say the same, views stay where they are."""
        if self._says(rows):
            self.update(rows)
            return
        self.beginResetModel()
        self._arrange(rows)
        self.endResetModel()

    def _says(self, rows: Sequence[Any]) -> bool:
        """Whether rows read as those that are shown; most differ in the first cell."""
        return len(rows) == len(self._given) and all(
            column.text(now) == column.text(before)
            for now, before in zip(rows, self._given, strict=True)
            for column in self.columns
        )

    def update(self, rows: Sequence[Any]) -> None:
        """Show what became of the same rows: as many, in the same order."""
        self._arrange(rows)
        self.repaint(*range(len(self.columns)))

    def repaint(self, *columns: int) -> None:
        """Tell that cells of some columns show something else now."""
        if self._rows:
            first = self.index(0, min(columns))
            self.dataChanged.emit(first, self.index(len(self._rows) - 1, max(columns)))

    def sort(
        self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder
    ) -> None:
        """Sort by a column; -1 gives the order back in which the rows came."""
        ascending = order == Qt.SortOrder.AscendingOrder
        self._sorted_by = (column, ascending) if column >= 0 else None
        with sorted_anew(self, lambda: self._order):
            self._arrange(self._given)

    def _arrange(self, rows: Sequence[Any]) -> None:
        self._given, self._order = tuple(rows), range(len(rows))
        if self._sorted_by is not None:
            column, ascending = self._sorted_by
            values = [self.columns[column].value(row) for row in self._given]
            self._order = row_order(values, ascending)
        self._rows = tuple(self._given[n] for n in self._order)

    def is_unknown(self, column: int) -> bool:
        """Whether no row has anything to show in a column."""
        return all(is_unknown(self.columns[column].value(row)) for row in self._rows)

    # --- what Qt asks -----------------------------------------------------------------

    def rowCount(self, parent: QModelIndex = _TOP) -> int:
        """Count rows."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = _TOP) -> int:
        """Count columns."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole
    ) -> Any:
        """Return title, meaning or alignment of a column."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = self.columns[section]
        if role == _ROLE.TextAlignmentRole:
            return column.title_alignment
        return column.header(role)

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], self.columns[index.column()]
        if role == _ROLE.DisplayRole:
            return column.text(row)
        if role == _ROLE.ToolTipRole:
            full = column.tooltip(row) if column.tooltip else column.text(row)
            return for_qt(full)
        if role == _ROLE.AccessibleTextRole and column.icon and column.tooltip:
            # An icon says nothing to who cannot see it.
            return column.text(row) or column.tooltip(row)
        if role == _ROLE.TextAlignmentRole:
            return column.alignment
        if role == _ROLE.DecorationRole:
            return column.icon(row) if column.icon else None
        return self._bar(row, column) if role == BAR and column.bar else None

    def _bar(self, row: Any, column: Column) -> float:
        known = [v for v in map(column.value, self._rows) if not is_unknown(v)]
        most, value = max(map(abs, known), default=0), column.value(row)
        return float(abs(value) / most) if most > 0 and not is_unknown(value) else 0.0


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Take the rows out of a table: column -> value, None for pandas' NA."""
    import pandas as pd

    return [
        {str(key): None if value is pd.NA else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]


def is_unknown(value: Any) -> bool:
    """Whether a value is missing: None or NaN.

    >>> is_unknown(None), is_unknown(float("nan")), is_unknown(0), is_unknown("")
    (True, True, False, False)
    """
    return value is None or bool(value != value)


def cell_text(value: Any, style: str) -> str:
    """Write a cell; nothing for what is unknown.

    Parameters
    ----------
    value : object
        A number, a truth or a text.
    style : str
        A format of numbers, ``"p"`` as papers write p, ``"at least"`` or ``""``.

    Examples
    --------
    >>> cell_text(6448.0, ",.0f"), cell_text(0.0005, "p"), cell_text(True, "")
    ('6,448', '.0005', 'yes')
    >>> cell_text(float("nan"), ".3f")
    ''
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if is_unknown(value):
        return ""
    if style == "at least":
        # Columns are narrow.
        return write_percent(float(value)).replace(" ", "")
    return short_p(float(value)) if style == "p" else format(value, style)


def row_order(
    values: Sequence[Any] | npt.NDArray[Any], ascending: bool = True
) -> list[int]:
    """Order rows by the values of a column.

    Parameters
    ----------
    values : sequence, shape (n,)
        Numbers, truths or texts; None and NaN are last, whichever way.
    ascending : bool
        The smallest first. Equal ones keep their order both ways.

    Returns
    -------
    list of int
        Position of the first row, of the second, ...

    Examples
    --------
    >>> row_order(["cluster 10", "Cluster 2", "cluster 10"], ascending=False)
    [0, 2, 1]
    >>> row_order([float("nan"), 2, 1])
    [2, 1, 0]
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        # Many rows, at each step of a slider.
        numbers = values.astype(float)
        order: list[int] = np.argsort(
            numbers if ascending else -numbers, kind="stable"
        ).tolist()
        return order
    keys = [_natural(value) if isinstance(value, str) else value for value in values]
    unknown = [n for n, key in enumerate(keys) if is_unknown(key)]
    known = [n for n, key in enumerate(keys) if not is_unknown(key)]
    known.sort(key=keys.__getitem__, reverse=not ascending)
    return known + unknown


def _natural(text: str) -> str:
    """Put cluster 2 before cluster 10.

    >>> sorted(["Cluster 10", "cluster 2"], key=_natural)
    ['cluster 2', 'Cluster 10']
    """
    return re.sub(r"\d+", lambda digits: digits[0].zfill(9), text.lower())


_SORTS = "Alt+Left and Alt+Right sort by another column, Alt+Up and Alt+Down its order"
_BAR_COLOR = QColor(80, 140, 200, 110)
_LOWEST = 70


class BarDelegate(QStyledItemDelegate):
    """Draws a bar behind the numbers of cells that have one."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Paint a cell."""
        length = index.data(BAR)
        if length:
            whole = option.rect.adjusted(1, 2, -1, -2)
            width = max(1, round(whole.width() * length))
            bar = QRect(whole.right() - width + 1, whole.top(), width, whole.height())
            painter.fillRect(bar, _BAR_COLOR)
        super().paint(painter, option, index)


class TableView(QTreeView):
    """Show rows; the first column takes the room that is left, Ctrl+C copies them all.

    Arrow keys choose a row; Enter and the space bar are told of, for what a double
    click and a click do. Alt with arrow keys sorts, as a click on a title does.

    Parameters
    ----------
    rows : QAbstractItemModel
        A `RowModel`, or rows that have rows below them.
    sortable : bool
        Sort by the column whose title is clicked; the third click gives back the order
        in which the rows came.
    """

    #: The row that is chosen when Enter, or the space bar, is pressed.
    entered_by_key = Signal(QModelIndex)
    space_pressed = Signal(QModelIndex)
    #: The user wants back what he changed here.
    undo_pressed = Signal()

    def __init__(
        self,
        rows: QAbstractItemModel,
        parent: QWidget | None = None,
        *,
        sortable: bool = False,
    ) -> None:
        super().__init__(parent)
        self.rows: Any = rows
        self.setModel(rows)
        if any(column.bar for column in getattr(rows, "columns", ())):
            self.setItemDelegate(BarDelegate(self))
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setMinimumHeight(_LOWEST)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        if sortable:
            header.setSortIndicatorShown(True)
            header.setSortIndicatorClearable(True)
            header.setSortIndicator(-1, Qt.SortOrder.DescendingOrder)
            self.setSortingEnabled(True)
        shortcut = QShortcut(QKeySequence.StandardKey.Copy, self)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        shortcut.activated.connect(self.copy)

    def focusInEvent(self, event: Any) -> None:
        """Choose no row: who comes by with the Tab key has not asked for one."""
        if self.currentIndex().isValid():
            super().focusInEvent(event)
        else:
            QFrame.focusInEvent(self, event)
            self.viewport().update()

    def keyPressEvent(self, event: Any) -> None:
        """Tell of Enter and the space bar, and sort."""
        keys = Qt.Key
        if self._sorts(event):
            return
        if event.matches(QKeySequence.StandardKey.Undo):
            self.undo_pressed.emit()
            return
        told = {
            keys.Key_Return: self.entered_by_key,
            keys.Key_Enter: self.entered_by_key,
        }
        told[keys.Key_Space] = self.space_pressed
        signal = told.get(event.key())
        if signal is not None and self.currentIndex().isValid():
            signal.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def setSortingEnabled(self, wanted: bool) -> None:
        """Let rows be sorted or not, and say by which keys."""
        super().setSortingEnabled(wanted)
        self.setAccessibleDescription(_SORTS if wanted else "")

    def _sorts(self, event: Any) -> bool:
        """Sort where Alt and an arrow are pressed: by another column, or the other way.

        Returns
        -------
        bool
            Whether that was asked.
        """
        across = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        ways = {
            Qt.Key.Key_Up: Qt.SortOrder.AscendingOrder,
            Qt.Key.Key_Down: Qt.SortOrder.DescendingOrder,
        }
        # On a Mac arrows are keys of a pad.
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if held != Qt.KeyboardModifier.AltModifier or not self.isSortingEnabled():
            return False
        header, key = self.header(), event.key()
        column = header.sortIndicatorSection()
        if key in across:
            shown = [n for n in range(header.count()) if not header.isSectionHidden(n)]
            shown.sort(key=header.visualIndex)
            # The order in which the rows came stands before the first column.
            choices = [-1, *shown] if header.isSortIndicatorClearable() else shown
            at = choices.index(column) if column in choices else 0
            column = choices[(at + across[key]) % len(choices)]
        elif key not in ways:
            return False
        header.setSortIndicator(column, ways.get(key, header.sortIndicatorOrder()))
        now = self.currentIndex()
        row = now if now.isValid() else self.rows.index(0, 0)
        # In the order in which the rows came none is looked at more than others.
        self.scrollTo(row.siblingAtColumn(column) if column >= 0 else row)
        return True

    def text(self) -> str:
        """Return the table as it is shown: tab-separated, with the rows below rows."""
        header, rows = self.header(), self.rows
        order = sorted(range(rows.columnCount()), key=header.visualIndex)
        columns = [column for column in order if not self.isColumnHidden(column)]
        across = Qt.Orientation.Horizontal
        titles = [rows.headerData(column, across) for column in columns]
        lines = [titles, *self._lines(columns, _TOP)]
        return "\n".join("\t".join(map(_one_line, line)) for line in lines)

    def _lines(self, columns: list[int], parent: QModelIndex) -> list[list[str | None]]:
        lines = []
        for row in range(self.rows.rowCount(parent)):
            lines.append(
                [self.rows.index(row, column, parent).data() for column in columns]
            )
            lines += self._lines(columns, self.rows.index(row, 0, parent))
        return lines

    def copy(self) -> None:
        """Put the table on the clipboard as text."""
        copy_text(self.text())


def _one_line(cell: str | None) -> str:
    """Keep cells from looking like more cells."""
    return re.sub(r"[\t\r\n]+", " ", cell or "")
