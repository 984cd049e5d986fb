"""Any table of ours: cells, order, bars and the text that Ctrl+C takes."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import pytest
from qtpy.QtCore import QModelIndex, Qt, qInstallMessageHandler
from qtpy.QtTest import QAbstractItemModelTester, QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_neurosynth_results.widgets.common.row_table import (
    BAR,
    Column,
    RowModel,
    TableView,
)

UP, DOWN = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder
ROLE = Qt.ItemDataRole
RIGHT = Qt.AlignmentFlag.AlignRight
COLUMNS = (
    Column("Study", "Who found it", value=itemgetter("study")),
    Column("N", "Participants", ",d", value=itemgetter("n"), bar=True),
    Column(
        "Link",
        value=itemgetter("link"),
        right=True,
        tooltip=lambda row: f"Read {row['study']}",
    ),
)
ROWS = [
    {"study": "pain 10", "n": 1200, "link": "a"},
    {"study": "Pain 2", "n": None, "link": "b"},
    {"study": "pain 1", "n": 300, "link": "c"},
]


@pytest.fixture
def view(qapp: Any) -> Iterator[TableView]:
    """Return a table of three studies."""
    parent = QWidget()
    made = TableView(RowModel(COLUMNS, parent), parent, sortable=True)
    made.rows.show(ROWS)
    yield made
    parent.close()


def links(view: TableView) -> str:
    return "".join(row["link"] for row in view.rows.rows)


def test_the_model_is_what_qt_expects(view: TableView) -> None:
    complaints: list[str] = []
    before = qInstallMessageHandler(lambda kind, where, what: complaints.append(what))
    tester = QAbstractItemModelTester(
        view.rows, QAbstractItemModelTester.FailureReportingMode.Warning
    )
    for rows in ([], ROWS, ROWS[:1]):
        view.rows.show(rows)
        for order in (DOWN, UP):
            view.sortByColumn(1, order)
    view.rows.update(ROWS[1:2])
    del tester
    qInstallMessageHandler(before)
    assert complaints == []


def test_cells_say_what_the_columns_take_from_a_row(view: TableView) -> None:
    model = view.rows
    assert [model.index(0, n).data() for n in range(3)] == ["pain 10", "1,200", "a"]
    assert model.index(1, 1).data() == ""
    assert model.index(2, 0).data(ROLE.ToolTipRole) == "pain 1"
    assert model.index(2, 2).data(ROLE.ToolTipRole) == "Read pain 1"
    right = [
        bool((model.index(0, n).data(ROLE.TextAlignmentRole) or RIGHT ^ RIGHT) & RIGHT)
        for n in range(3)
    ]
    assert right == [False, True, True]
    across = Qt.Orientation.Horizontal
    assert model.headerData(1, across, ROLE.ToolTipRole) == "Participants"
    assert model.headerData(2, across, ROLE.ToolTipRole) is None


def test_numbers_in_names_count_and_what_is_unknown_is_last(view: TableView) -> None:
    view.sortByColumn(0, UP)
    assert links(view) == "cba"
    view.sortByColumn(0, DOWN)
    assert links(view) == "abc"
    view.sortByColumn(1, UP)
    assert links(view) == "cab"
    view.sortByColumn(1, DOWN)
    assert links(view) == "acb"
    # Other rows come in the order that was asked for.
    view.rows.show(ROWS[::-1])
    assert links(view) == "acb"
    view.sortByColumn(-1, UP)
    assert links(view) == "cba"


def test_the_longest_bar_is_the_largest_number(view: TableView) -> None:
    bars = [view.rows.index(n, 1).data(BAR) for n in range(3)]
    assert bars == [1, 0, 0.25]
    assert view.rows.index(0, 0).data(BAR) is None
    assert not view.grab().toImage().isNull()


def test_the_same_rows_may_get_other_contents(view: TableView) -> None:
    told: list[Any] = []
    reset: list[Any] = []
    view.rows.dataChanged.connect(lambda *what: told.append(what[:2]))
    view.rows.modelReset.connect(lambda: reset.append(1))
    view.rows.update([row | {"n": 7} for row in ROWS])
    assert view.rows.index(1, 1).data() == "7"
    ((first, last),) = told
    assert (first.row(), first.column(), last.row(), last.column()) == (0, 0, 2, 2)
    assert reset == []


def test_ctrl_c_takes_the_table_as_it_is_seen(view: TableView) -> None:
    view.rows.show([ROWS[0], ROWS[1] | {"study": "two\tnames\nof it"}])
    view.sortByColumn(2, DOWN)
    view.setColumnHidden(1, True)
    view.header().moveSection(2, 0)
    view.window().show()
    view.window().activateWindow()
    view.setFocus()
    assert QTest.qWaitForWindowActive(view.window())
    QTest.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    assert clipboard.text() == "Link\tStudy\nb\ttwo names of it\na\tpain 10"


def test_an_empty_table_has_unknown_columns_only(view: TableView) -> None:
    assert not view.rows.is_unknown(1)
    view.rows.show(ROWS[1:2])
    assert view.rows.is_unknown(1)
    assert not view.rows.is_unknown(0)
    view.rows.show([])
    assert view.rows.is_unknown(0)
    assert view.rows.rowCount(QModelIndex()) == 0


def test_alt_and_arrows_sort(view: TableView) -> None:
    def press(key: Qt.Key) -> str:
        QTest.keyClick(view, key, Qt.KeyboardModifier.AltModifier)
        return links(view)

    came = links(view)
    keys = Qt.Key
    assert press(keys.Key_Right) in ("cba", "abc")
    assert press(keys.Key_Up) == "cba"
    assert press(keys.Key_Down) == "abc"
    # By the next column that is seen, the same way.
    assert press(keys.Key_Right) == "acb"
    view.setColumnHidden(1, True)
    view.sortByColumn(0, DOWN)
    press(keys.Key_Right)
    assert view.header().sortIndicatorSection() == 2
    # Past the last one, the order in which the rows came; and back.
    assert press(keys.Key_Right) == came
    press(keys.Key_Left)
    assert view.header().sortIndicatorSection() == 2
