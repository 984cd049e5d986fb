"""The columns of the cluster table: what they hold, how names and numbers are written.

A name that has not enough room keeps its side: ``Supramarg… R``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QModelIndex, Qt
from qtpy.QtGui import QFontMetrics, QPainter
from qtpy.QtWidgets import (
    QApplication,
    QFrame,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
)

from napari_neurosynth_results.anatomy.atlas import with_distance
from napari_neurosynth_results.export.escaping import for_html
from napari_neurosynth_results.maps.kinds import PFormula
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.studies import ABOUT_SURVIVAL
from napari_neurosynth_results.widgets.common.row_table import Heading, TableView

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ClusterColumn(Heading):
    """One column of the cluster table.

    Attributes
    ----------
    key : str
        Its name in ``ClusterSet.table``, or in one of the tables beside it.
    shown : bool
        Whether it is there before the user chooses.
    of_peaks : bool
        Whether sub-peaks have it too.
    cluster_level : bool, optional
        Whether it is there at first for clusters that were tested themselves, or for
        the others; None for both.
    corrected : bool
        Whether other maps of the result have to be read for it.
    beside : str
        The table of a `ClusterSet` beside its ``table`` that has it: each of them is
        made when it is first looked at.
    counted : bool
        Whether it holds p that were counted in iterations: then the smallest is a "<=".
    widest : str
        What there has to be room for: numbers grow while a threshold moves.
    """

    key: str = field(kw_only=True)
    shown: bool = field(default=True, kw_only=True)
    of_peaks: bool = field(default=False, kw_only=True)
    cluster_level: bool | None = field(default=None, kw_only=True)
    corrected: bool = field(default=False, kw_only=True)
    beside: str = field(default="", kw_only=True)
    counted: bool = field(default=False, kw_only=True)
    widest: str = field(default="", kw_only=True)

    def room(self, clusters: ClusterSet | None) -> str:
        """Return what there has to be room for; clusters that were tested stay."""
        stay = clusters is None or clusters.statmap.level == "cluster"
        return "" if stay else self.widest

    def style_for(self, clusters: ClusterSet | None) -> str:
        """Return how numbers are written: values that are p as papers write these."""
        if clusters is None or self.key not in _VALUES:
            return self.style
        formula = clusters.values.kind.row.p
        return "p" if formula is PFormula.IDENTITY else self.style

    def told(self, clusters: ClusterSet) -> str:
        """Say what the column means; of true discoveries also how surely, and by what.

        Parameters
        ----------
        clusters : ClusterSet
            What is in the table.
        """
        if self.key != "tdp_percent":
            return self.about
        testing = clusters.proven.testing
        how = f"{clusters.proven}" if testing is None else testing.how
        # Qt breaks the lines of what is HTML.
        paragraphs = (*_TDP, f"{how[0].upper()}{how[1:]}.")
        return "".join(f"<p>{for_html(told)}</p>" for told in paragraphs)


#: What holds values of the map.
_VALUES = ("peak_value", "mean_value")
#: For who has never heard of it: what it says, what the smallest says, what to do.
_TDP = (
    "How much of the cluster is active, at least (true discovery proportion, TDP).",
    "\u2265 32 %: of every 100 of its voxels at least 32 are active. Which ones, it "
    "does not say.",
    "\u2265 0 %: the cluster may well be real, but no single voxel of it is certain.",
    "If it is low: a stricter threshold leaves a smaller cluster, of which usually a "
    "larger share is active. Active parts, in the drawer below, finds the largest such "
    "part. Look as often as you like: all these numbers hold together.",
)

#: One that the user has to choose.
_hidden = partial(ClusterColumn, shown=False)

CLUSTER_COLUMNS = (
    ClusterColumn(
        "#", "Label of the cluster in the volume; letters are sub-peaks", key="label"
    ),
    ClusterColumn(
        "Name", "Double-click or F2 renames it, Ctrl+Z takes that back", key="name"
    ),
    ClusterColumn(
        "x",
        "MNI x of the peak, mm",
        ".4g",
        key="peak_x",
        widest="-88",
        of_peaks=True,
    ),
    ClusterColumn(
        "y",
        "MNI y of the peak, mm",
        ".4g",
        key="peak_y",
        widest="-108",
        of_peaks=True,
    ),
    ClusterColumn(
        "z",
        "MNI z of the peak, mm",
        ".4g",
        key="peak_z",
        widest="-88",
        of_peaks=True,
    ),
    ClusterColumn(
        "Peak",
        "Value at the peak, of the test itself: of a corrected map that of its "
        "uncorrected one, empty where that is not at hand",
        ".3f",
        key="peak_value",
        of_peaks=True,
    ),
    ClusterColumn(
        "Cluster p",
        "Corrected p of the cluster",
        "p",
        key="cluster_p",
        cluster_level=True,
        counted=True,
    ),
    ClusterColumn(
        "p",
        "Uncorrected p at the peak, also of a corrected map; empty where its "
        "uncorrected one is not at hand",
        "p",
        key="peak_p",
        widest="8.88e-88",
        of_peaks=True,
        cluster_level=False,
    ),
    _hidden(
        "p_FWE peak",
        "Corrected p of the peak, by voxel",
        "p",
        key="peak_p_fwe",
        of_peaks=True,
        corrected=True,
        beside="corrected",
        counted=True,
    ),
    _hidden(
        "q peak",
        "FDR-corrected q of the peak",
        "p",
        key="peak_q",
        of_peaks=True,
        corrected=True,
        beside="corrected",
    ),
    ClusterColumn("k", "Extent in voxels", ",d", key="n_voxels", widest="8,888"),
    ClusterColumn(
        "TDP",
        " ".join(_TDP),
        "at least",
        key="tdp_percent",
        widest="\u2265100%",
    ),
    _hidden("Stands", ABOUT_SURVIVAL, key="stands"),
    _hidden("mm3", "Volume in cubic millimeters", ",.0f", key="volume_mm3"),
    _hidden(
        "Sig.",
        "Whether the cluster is significant at the level that was asked",
        key="significant",
    ),
    _hidden(
        "Borderline",
        "yes: with so few iterations the corrected p could lie on either side of the "
        "level, so another run might decide otherwise (its 95 % interval includes the "
        "level)",
        key="borderline",
    ),
    _hidden(
        "Region",
        "Region at the peak, or how far the nearest one is",
        key="region",
        of_peaks=True,
    ),
    _hidden(
        "% in it",
        "Share of the cluster that lies in that region",
        ".0f",
        key="region_percent",
    ),
    _hidden(
        "-log10 p",
        "-log10 of the uncorrected p at the peak",
        ".2f",
        key="peak_logp",
        of_peaks=True,
    ),
    _hidden("Mean", "Mean value of the cluster", ".3f", key="mean_value"),
    _hidden("Center x", "MNI x of the center of mass, mm", ".1f", key="center_x"),
    _hidden("Center y", "MNI y of the center of mass, mm", ".1f", key="center_y"),
    _hidden("Center z", "MNI z of the center of mass, mm", ".1f", key="center_z"),
    *(
        _hidden(
            f"Inner {axis}",
            f"MNI {axis} of the cluster's own voxel nearest to its center, mm",
            ".4g",
            key=f"inner_{axis}",
            beside="extents",
        )
        for axis in "xyz"
    ),
    *(
        _hidden(
            f"{axis} {'from' if end == 'min' else 'to'}",
            f"The {side} of the cluster, MNI {axis} of the voxel's middle, mm",
            ".4g",
            key=f"box_{axis}_{end}",
            beside="extents",
        )
        for axis, sides in (
            ("x", ("left end", "right end")),
            ("y", ("rear end", "front end")),
            ("z", ("lower end", "upper end")),
        )
        for end, side in zip(("min", "max"), sides, strict=True)
    ),
    *(
        _hidden(title, about, ".3g", key=key, beside="effects")
        for key, title, about in (
            (
                "est",
                "Effect",
                "Estimated effect at the peak, in the inputs' unit",
            ),
            ("est_low", "Effect from", "Lower end of its 95 % confidence interval"),
            ("est_high", "Effect to", "Upper end of its 95 % confidence interval"),
            ("pi_low", "New from", "Lower end of where a new study's effect may lie"),
            ("pi_high", "New to", "Upper end of where a new study's effect may lie"),
            ("tau2", "tau2", "Variance between studies at the peak"),
            ("i2", "I2", "Share of the variance that lies between studies"),
            ("mean_est", "Mean effect", "Mean estimated effect of the cluster"),
        )
    ),
    _hidden("Sign", "1 for positive clusters, -1 for negative ones", "d", key="sign"),
    _hidden(
        "p_FWE mass",
        "Corrected p of the cluster, by its mass; empty where NiMARE tested a cluster "
        "of other voxels",
        "p",
        key="p_fwe_mass",
        corrected=True,
        beside="corrected",
        counted=True,
    ),
    _hidden(
        "p_FWE size",
        "Corrected p of the cluster, by its size; empty where NiMARE tested a cluster "
        "of other voxels",
        "p",
        key="p_fwe_size",
        corrected=True,
        beside="corrected",
        counted=True,
    ),
)
#: Columns that stay in sight when the others are scrolled.
FROZEN = 2
_KEYS = [column.key for column in CLUSTER_COLUMNS]
#: Number of the column that can be edited.
NAME_COLUMN = _KEYS.index("name")
#: Number of the column that is there once experiments were left out.
SURVIVAL_COLUMN = _KEYS.index("stands")
#: The last column for which names give way: to all up to the first of these if that is
#: enough, else to all up to the second.
_LAST_IN_SIGHT = (_KEYS.index("tdp_percent"), _KEYS.index("n_voxels"))
#: Pixels.
_NARROWEST_NAME, _ENOUGH_FOR_NAMES = 68, 108
#: And any column.
NARROWEST = 24
#: What a voxel-level corrected map may say itself.
CORRECTED = frozenset(column.key for column in CLUSTER_COLUMNS if column.corrected)


#: The side of a region, and all that is after it: a number, a distance.
_SIDE = re.compile(r" [LR](?: .*)?$")


def shorten_name(name: str, metrics: QFontMetrics, room: int) -> str:
    """Shorten a name to some pixels; its side, which is last, stays."""
    if metrics.horizontalAdvance(name) <= room:
        return name
    side = found.group() if (found := _SIDE.search(name)) else ""
    left = room - metrics.horizontalAdvance(side)
    stem = name.removesuffix(side)
    short: str = metrics.elidedText(stem, Qt.TextElideMode.ElideRight, left)
    return short + side


class NameDelegate(QStyledItemDelegate):
    """Writes names of clusters, as much of them as there is room for."""

    _room: int | None = None

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Paint a name."""
        style = option.widget.style()
        margin = style.pixelMetric(QStyle.PixelMetric.PM_FocusFrameHMargin) + 1
        self._room = option.rect.width() - 2 * margin
        super().paint(painter, option, index)
        self._room = None

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Shorten what is painted, and not what is measured."""
        super().initStyleOption(option, index)
        if self._room is not None:
            option.text = shorten_name(option.text, option.fontMetrics, self._room)


def room_for_names(widths: Mapping[int, int], whole: int) -> int:
    """Find how wide the names of a table can be.

    Parameters
    ----------
    widths : mapping of int to int
        Pixels of each column that is shown.
    whole : int
        Pixels of the table.

    Returns
    -------
    int
        Pixels beside all columns where that is enough, else beside those that have to
        be in sight.
    """
    others = {index: wide for index, wide in widths.items() if index != NAME_COLUMN}
    room, enough = whole - sum(others.values()), _ENOUGH_FOR_NAMES
    for last in _LAST_IN_SIGHT:
        if room < enough:
            room = whole - sum(wide for index, wide in others.items() if index <= last)
        enough = _NARROWEST_NAME
    return max(room, _NARROWEST_NAME)


def cluster_cells(clusters: ClusterSet, key: str) -> npt.NDArray[Any]:
    """Take a column out of what is known of clusters.

    Parameters
    ----------
    key : str
        Of a `ClusterColumn`.

    Returns
    -------
    ndarray, shape (n,)
        One cell a cluster: numbers, or words.
    """
    if key == "stands":
        if not clusters.survival:
            return np.full(len(clusters), "", dtype=object)
        pairs = zip(clusters.survival[key], clusters.survival["stands_of"], strict=True)
        return np.array([f"{n}/{k}" for n, k in pairs], dtype=object)
    column = next(one for one in CLUSTER_COLUMNS if one.key == key)
    # What a corrected map says itself is in its table.
    own = key in clusters.table or not column.beside
    return column_cells(
        clusters.table if own else getattr(clusters, column.beside), key
    )


def column_cells(table: pd.DataFrame, key: str) -> npt.NDArray[Any]:
    """Take a column out of a table of clusters; regions say how far they are."""
    values = table[key].to_numpy()
    if table[key].dtype == "boolean":
        # NA, of which nobody can say whether it is itself.
        cells = zip(values, table[key].isna(), strict=True)
        return np.array([None if gone else cell for cell, gone in cells], dtype=object)
    if key != "region":
        return values
    cells = zip(values, table["region_mm"], strict=True)
    return np.array([with_distance(region, mm) for region, mm in cells], dtype=object)


class FrozenColumns(QTreeView):
    """The first columns of a table, over the table itself."""

    def __init__(self, table: TableView) -> None:
        super().__init__(table)
        self._table = table
        self.setModel(table.model())
        self.setSelectionModel(table.selectionModel())
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setUniformRowHeights(True)
        self.setIndentation(table.indentation())
        self.setItemDelegateForColumn(NAME_COLUMN, NameDelegate(self))
        self.setSelectionBehavior(table.selectionBehavior())
        self.setEditTriggers(table.editTriggers())
        off = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setHorizontalScrollBarPolicy(off)
        self.setVerticalScrollBarPolicy(off)
        self.setVerticalScrollMode(table.verticalScrollMode())
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setMinimumSectionSize(NARROWEST)
        for index in range(FROZEN, len(CLUSTER_COLUMNS)):
            self.setColumnHidden(index, True)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._follow(table)
        self.fit()

    def _follow(self, table: TableView) -> None:
        mine, its = self.header(), table.header()
        mine.sectionResized.connect(self._tell_width)
        its.sectionResized.connect(self._take_width)
        mine.sectionClicked.connect(self._sort)
        its.sortIndicatorChanged.connect(mine.setSortIndicator)
        bar = table.verticalScrollBar()
        bar.valueChanged.connect(self.verticalScrollBar().setValue)
        self.verticalScrollBar().valueChanged.connect(bar.setValue)
        table.model().modelAboutToBeReset.connect(self._stop_writing)
        self.expanded.connect(table.expand)
        self.collapsed.connect(table.collapse)
        table.expanded.connect(self.expand)
        table.collapsed.connect(self.collapse)

    def _sort(self, section: int) -> None:
        header = self._table.header()
        up = Qt.SortOrder.AscendingOrder
        again = header.sortIndicatorSection() == section
        down = again and header.sortIndicatorOrder() == up
        self._table.sortByColumn(section, Qt.SortOrder.DescendingOrder if down else up)

    def _take_width(self, section: int, before: int, width: int) -> None:
        if section < FROZEN:
            self.setColumnWidth(section, width)
        self.fit()

    def _tell_width(self, section: int, before: int, width: int) -> None:
        if self._table.columnWidth(section) != width:
            self._table.setColumnWidth(section, width)

    def fit(self) -> None:
        """Lie over the columns that are frozen, the titles included."""
        table = self._table
        for index in range(FROZEN):
            hidden = table.isColumnHidden(index)
            self.setColumnHidden(index, hidden)
            if not hidden and self.columnWidth(index) != table.columnWidth(index):
                self.setColumnWidth(index, table.columnWidth(index))
        # A style sheet gives both another frame than they say.
        corner = table.header().pos() - self.header().pos()
        width = sum(table.columnWidth(index) for index in range(FROZEN))
        height = table.viewport().height() + table.header().height()
        least = min(width, table.viewport().width())
        self.setGeometry(corner.x(), corner.y(), least, height)
        self.raise_()

    def commitData(self, editor: Any) -> None:
        """Write a name; other names mean other rows, which take the editor along."""
        with self._keyboard_to_table(editor):
            super().commitData(editor)

    def closeEditor(self, editor: Any, hint: Any) -> None:
        """End writing a name, also where nothing was written."""
        with self._keyboard_to_table(editor):
            super().closeEditor(editor, hint)

    def _stop_writing(self) -> None:
        """Forget a name that is being written: its row goes, and Qt would warn."""
        for editor in self.viewport().findChildren(QLineEdit):
            self.closeEditor(editor, QStyledItemDelegate.EndEditHint.NoHint)

    @contextmanager
    def _keyboard_to_table(self, editor: Any) -> Iterator[None]:
        """Give the table the keyboard that an editor had: this view takes none."""
        had_keyboard = editor.hasFocus()
        yield
        if had_keyboard:
            self._table.setFocus()

    def wheelEvent(self, event: Any) -> None:
        """Scroll the table below."""
        QApplication.sendEvent(self._table.viewport(), event)
