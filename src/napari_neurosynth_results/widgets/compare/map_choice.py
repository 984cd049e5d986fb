"""The maps to compare: the likeliest partners, a list, and another result to open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QModelIndex, QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_neurosynth_results.export.colors import Hue
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.comparison.comparison import rank_partners
from napari_neurosynth_results.viewer.layers import (
    are_several,
    name_of_map,
    result_sets,
)
from napari_neurosynth_results.viewer.shown_maps import (
    current_map,
    layer_of,
)
from napari_neurosynth_results.widgets.common.layout import without_mnemonic
from napari_neurosynth_results.widgets.maps.opener import ResultOpener

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

_LOWEST, _HIGHEST = 80, 112
_ORDERS = "Check the maps to compare; drag, or press Alt+Up or Alt+Down, to order them"
_MAP = int(Qt.ItemDataRole.UserRole)
#: Sides of the patch of color beside a name, pixels.
_PATCH = QSize(10, 10)
#: Partners that a menu has room for.
_MOST_PARTNERS = 12
#: napari draws the arrow of a menu over the text.
_NO_ARROW = "QPushButton::menu-indicator { image: none; }"


class MapChecklist(QListWidget):
    """Lists maps; the order of the list is that of the comparison.

    Parameters
    ----------
    viewer : Viewer
        Whose layers show the maps that are checked.
    """

    #: Other maps are checked, or the order of those that are.
    changed = Signal()

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.setAccessibleName("Maps to compare")
        self.setMinimumHeight(_LOWEST)
        self.setMaximumHeight(_HIGHEST)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setIconSize(_PATCH)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # The first of the checked ones is the one that others are compared with.
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setToolTip(_ORDERS)
        self.setAccessibleDescription(_ORDERS)
        self.itemChanged.connect(self._tell)
        self.model().rowsMoved.connect(self._tell)

    def keyPressEvent(self, event: Any) -> None:
        """Move the chosen map up or down, with Alt."""
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if held != Qt.KeyboardModifier.AltModifier or event.key() not in steps:
            super().keyPressEvent(event)
            return
        row, step = self.currentRow(), steps[event.key()]
        if row >= 0 and 0 <= row + step < self.count():
            # Qt names the row before which it lies afterwards, counted as it is now.
            before = row + step + (step > 0)
            self.model().moveRow(QModelIndex(), row, QModelIndex(), before)
            self.scrollToItem(self.currentItem())

    def _tell(self, *what: object) -> None:
        self.changed.emit()

    @property
    def listed(self) -> list[StatMap]:
        """All maps, from top to bottom."""
        return [self.item(row).data(_MAP) for row in range(self.count())]

    @property
    def checked(self) -> list[StatMap]:
        """The checked maps, from top to bottom."""
        items = [self.item(row) for row in range(self.count())]
        return [
            item.data(_MAP)
            for item in items
            if item.checkState() == Qt.CheckState.Checked
        ]

    @property
    def layers(self) -> list[Image]:
        """The layers of the checked maps, of those that have one."""
        found = [layer_of(self._viewer, statmap) for statmap in self.checked]
        return [layer for layer in found if layer is not None]

    def list_maps(self, maps: Sequence[StatMap]) -> None:
        """List other maps; those that stay keep place, check, and the keyboard."""
        checked = self.checked
        now = item.data(_MAP) if (item := self.currentItem()) is not None else None
        kept = [statmap for statmap in self.listed if statmap in maps]
        self.blockSignals(True)
        self.clear()
        several = are_several({id(one.results): one.results for one in maps}.values())
        for statmap in [*kept, *(one for one in maps if one not in kept)]:
            item = QListWidgetItem(name_of_map(statmap, of_several=several))
            item.setData(_MAP, statmap)
            item.setToolTip(for_qt(item.text()))
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            state = (
                Qt.CheckState.Checked if statmap in checked else Qt.CheckState.Unchecked
            )
            item.setCheckState(state)
            self.addItem(item)
            if statmap is now:
                self.setCurrentItem(item)
        self.blockSignals(False)

    def color(self, hues: Sequence[Hue]) -> None:
        """Show which color each checked map has; none when they are seen alone.

        Parameters
        ----------
        hues : sequence of Hue
            In the order of the checked maps; those beyond have none.
        """
        checked = self.checked
        self.blockSignals(True)
        for row in range(self.count()):
            item = self.item(row)
            statmap = item.data(_MAP)
            number = checked.index(statmap) if statmap in checked else len(hues)
            color = None
            if number < len(hues):
                color = QColor.fromRgbF(*hues[number].rgb)
            item.setData(Qt.ItemDataRole.DecorationRole, color)
        self.blockSignals(False)

    def check(self, maps: Sequence[StatMap]) -> None:
        """Check some maps, and no others."""
        self.check_quietly(maps)
        self.changed.emit()

    def check_in_order(self, maps: Sequence[StatMap]) -> None:
        """Check some maps and no others, and bring them to the top in this order."""
        rest = [one for one in self.listed if one not in maps]
        first = [one for one in maps if one in self.listed]
        self.list_maps([])
        self.list_maps([*first, *rest])
        self.scrollToTop()
        self.check(first)

    def check_quietly(self, maps: Sequence[StatMap]) -> None:
        """Check some maps without telling of it."""
        self.blockSignals(True)
        for row in range(self.count()):
            item = self.item(row)
            wanted = item.data(_MAP) in maps
            item.setCheckState(
                Qt.CheckState.Checked if wanted else Qt.CheckState.Unchecked
            )
        self.blockSignals(False)


class PartnerButton(QPushButton):
    """Offers what a map is likely to be compared with, the likeliest first.

    Parameters
    ----------
    viewer : Viewer
        Whose results are offered.
    maps : MapChecklist
        Its first checked map is the one that is compared; else the one worked with is.
    """

    #: Compare a map with a partner.
    chosen = Signal(object, object)
    #: The partner is in a result that is not open.
    elsewhere = Signal()

    def __init__(self, viewer: Viewer, maps: MapChecklist, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer, self._maps = viewer, maps
        self._told = ""
        self.setStyleSheet(_NO_ARROW)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setToolTip("The likeliest partners first: the same test of another result")
        self.setMenu(QMenu(self))
        self.menu().aboutToShow.connect(self.list_partners)
        self.describe()

    @property
    def base(self) -> StatMap | None:
        """The map that gets a partner."""
        statmap = next(iter(self._maps.checked), None) or current_map(self._viewer)
        return statmap if statmap is not None and statmap.kind.row.criteria else None

    def describe(self) -> None:
        """Say of which map it is."""
        base, results = self.base, result_sets(self._viewer.layers)
        name = name_of_map(base, of_several=are_several(results)) if base else ""
        self._told = f"Compare {name} with..." if base else "Compare with..."
        self.setAccessibleName(self._told)
        self._elide()

    def resizeEvent(self, event: Any) -> None:
        """Shorten the text to the width that there is."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        elide, room = Qt.TextElideMode.ElideMiddle, max(self.width() - 16, 60)
        shown = self.fontMetrics().elidedText(self._told, elide, room)
        self.setText(without_mnemonic(shown))

    def list_partners(self) -> None:
        """Fill the menu anew."""
        menu, base = self.menu(), self.base
        menu.clear()
        results = result_sets(self._viewer.layers)
        several = are_several(results)
        if base is not None:
            others = [one for some in results for one in some.maps.values()]
            for other in rank_partners(base, others)[:_MOST_PARTNERS]:
                name = name_of_map(other, of_several=several)
                chosen = partial(self.chosen.emit, base, other)
                menu.addAction(without_mnemonic(name), chosen)
            menu.addSeparator()
        menu.addAction("Another result...", self.elsewhere.emit)


class OtherResultField(QWidget):
    """A line to paste a link or a path into.

    Parameters
    ----------
    viewer : Viewer
        Where the maps of the other result are added.
    base : callable
        Returns the map that is compared, None for none.
    opener : ResultOpener, optional
        Of the panel that this is a part of, which says how far it is; else one of its
        own.
    """

    #: Maps have come that are to be compared: the one that there was, and its partner.
    arrived = Signal(object, object)

    def __init__(
        self,
        viewer: Viewer,
        base: Callable[[], StatMap | None],
        parent: QWidget,
        opener: ResultOpener | None = None,
    ) -> None:
        super().__init__(parent)
        self._base = base
        self._opener = opener or ResultOpener(viewer, self)
        self.source = QLineEdit()
        self.source.setPlaceholderText("Another result: link, id, folder or zip")
        self.source.setClearButtonEnabled(True)
        self.button = QPushButton("Open")
        self.folder = QPushButton("Folder...")
        self.background_job = self._opener.background_job
        line = QHBoxLayout()
        line.addWidget(self.source, 1)
        line.addWidget(self.button)
        line.addWidget(self.folder)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(line)
        if opener is None:
            layout.addWidget(self.background_job)
        self.source.returnPressed.connect(self._open)
        self.button.clicked.connect(self._open)
        self.folder.clicked.connect(self._choose)

    def ask(self) -> None:
        """Let the user type or paste."""
        self.source.setFocus()

    def _choose(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, "Open a folder"):
            self.open(path)

    def _open(self) -> None:
        if text := self.source.text().strip():
            self.open(text)

    def open(self, source: str) -> None:
        """Open a result beside those that are open; compare the same test of it.

        Parameters
        ----------
        source : str
            A link, an id, a folder or a zip. Of one that is open nothing is opened.
        """
        base = self._base()

        def arrived(results: ResultSet) -> None:
            self.source.clear()
            if base is not None and (
                partners := rank_partners(base, results.maps.values())
            ):
                self.bring(base, partners[0])

        self._opener.open(source, then=arrived)

    def bring(self, base: StatMap, partner: StatMap) -> None:
        """Compare two maps once both are here."""

        def go_on(came: list[StatMap]) -> None:
            if came:
                self.bring(base, partner)

        missing = [one for one in (base, partner) if not one.at_hand]
        if missing:
            # They may be of two results.
            self._opener.bring(missing[:1], go_on)
        else:
            self.arrived.emit(base, partner)
