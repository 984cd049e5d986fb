"""The maps of the result that is worked with: what each is, and whether it is shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, LineEdit, PushButton, TextEdit
from qtpy.QtCore import QItemSelectionModel, QModelIndex, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QIcon, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QWidget

from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.maps.names import (
    SEPARATOR,
    contrast_in_words,
    correction_in_short,
)
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.viewer import shown_maps
from napari_neurosynth_results.viewer.layers import is_seen, map_of
from napari_neurosynth_results.widgets.common.background_job import size_text
from napari_neurosynth_results.widgets.common.layout import narrow, row
from napari_neurosynth_results.widgets.common.row_table import (
    Column,
    RowModel,
    TableView,
)
from napari_neurosynth_results.widgets.kind_form import show_kind_form
from napari_neurosynth_results.widgets.maps.description import (
    MapDescription,
    below_list,
    description_browser,
    description_html,
)
from napari_neurosynth_results.widgets.maps.opener import ResultOpener

if TYPE_CHECKING:
    from napari.viewer import Viewer

#: A choice of the filters.
ANY = "any"
#: The state of a map that could not be had.
FETCH_FAILED = "failed"
_SHOWN, _HIDDEN = "shown", "hidden"
_ON_DISK, _REMOTE = "on disk", "on the server"
_STATE, _EYE = 2, 3
_UNCORRECTED = "uncorrected"
_NO_PROGRESS: Mapping[str, int] = MappingProxyType({})
_LOWEST = 150
_NOTHING_OPEN = (
    "Paste the link of a NeuroVault collection or of a Neurosynth Compose "
    "meta-analysis, or open a NiMARE folder, a zip or a NIfTI map."
)
_OTHERS = "other maps"
_LOW = 110
_EYE_PIXELS = 16
#: Letters of the filters' choices that are seen at once.


class MapsPanel(Container):
    """List all maps of a result, show those that are wanted, and say what they are.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer that maps are added to.
    opener : ResultOpener
        Fetches maps, and knows what is open.
    """

    def __init__(self, napari_viewer: Viewer, opener: ResultOpener) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        self._opener = opener
        self._results: ResultSet | None = None
        self._make()
        self._connect()
        self.refresh()

    def _make(self) -> None:
        self.search = LineEdit()
        self.search.native.setPlaceholderText("Filter: mass, association ...")
        self.search.native.setClearButtonEnabled(True)
        self.search.native.setAccessibleName("Filter maps")
        self.kind = ComboBox(
            choices=self._kind_choices, tooltip="Show only maps of this kind"
        )
        self.correction = ComboBox(
            choices=self._correction_choices,
            tooltip="Show only maps with this correction",
        )
        narrow(self.kind, self.correction)
        for box, name in ((self.kind, "Kind"), (self.correction, "Correction")):
            box.native.setAccessibleName(name)
        self.view = MapList(self.native)
        self.alone = PushButton(
            text="Show alone", tooltip="Show this map, and hide the others (Enter)"
        )
        self.add = PushButton(
            text="+ add", tooltip="Lay the chosen maps over what is shown"
        )
        self.hide_them = PushButton(text="Hide")
        self.problems = TextEdit()
        self.problems.read_only = True
        self.problems.native.setMaximumHeight(_LOW)
        self.problems.native.setAccessibleName("Problems of this result")
        self.map_description = MapDescription()
        self.about = description_browser()
        self.extend(
            [
                self.search,
                row(self.kind, self.correction),
                row(self.alone, self.add, self.hide_them),
                self.problems,
            ]
        )
        layout = self.native.layout()
        layout.insertWidget(2, self.view, 1)
        layout.insertWidget(4, below_list(self.map_description, self.about))

    def _connect(self) -> None:
        for widget in (self.search, self.kind, self.correction):
            widget.changed.connect(self._fill)
        self.view.selectionModel().selectionChanged.connect(self._describe)
        self.view.doubleClicked.connect(self._double_clicked)
        self.view.clicked.connect(self._clicked)
        self.view.entered_by_key.connect(self._entered)
        self.view.space_pressed.connect(self._turn_eye)
        self.map_description.holds.clicked.connect(self._ask_what_it_holds)
        self.alone.changed.connect(self._show_alone)
        self.add.changed.connect(self._lay_over)
        self.hide_them.changed.connect(self._hide)
        self._opener.changed.connect(self.refresh)
        self._opener.background_job.progressed.connect(self._show_progress)
        self._watch = shown_maps.LayerWatch(
            self._viewer, self.refresh, self._show_states
        )

    # --- what there is to choose ------------------------------------------------------

    @property
    def results(self) -> ResultSet | None:
        """The result whose maps are listed."""
        return self._results

    def list_result(self, results: ResultSet | None) -> None:
        """List the maps of another result, None for no result."""
        if results is not self._results:
            self._results = results
            self.refresh()

    def _maps(self) -> list[StatMap]:
        return list(self._results.maps.values()) if self._results is not None else []

    def _kind_choices(self, widget: object = None) -> list[tuple[str, str]]:
        kinds = dict.fromkeys(str(statmap.kind) for statmap in self._maps())
        return [("any kind", ANY), *((kind, kind) for kind in kinds)]

    def _correction_choices(self, widget: object = None) -> list[tuple[str, str]]:
        found = dict.fromkeys(correction_text(statmap) for statmap in self._maps())
        return [("any correction", ANY), *((text, text) for text in found)]

    # --- the list ---------------------------------------------------------------------

    def refresh(self, event: object = None) -> None:
        """Follow what is open, and what has a layer."""
        for one in (self.kind, self.correction):
            with one.changed.blocked():
                one.reset_choices()
        self._fill()
        results = self._results
        self.about.setHtml(description_html(results) if results is not None else "")
        self.about.setVisible(results is not None)
        self._show_problems()

    def _fill(self, event: object = None) -> None:
        chosen, current = self.view.chosen(), self.view.current_map()
        self.view.list_maps(
            self._results,
            words=self.search.value.split(),
            kind=self.kind.value or ANY,
            correction=self.correction.value or ANY,
        )
        self.view.choose(chosen)
        self.view.stay_at(current)
        self._show_states()
        self._describe()

    def _show_states(self, event: object = None) -> None:
        shown: set[str] = set()
        hidden: set[str] = set()
        for layer in self._viewer.layers:
            statmap = map_of(layer)
            if statmap is not None and statmap.results is self._results:
                (shown if is_seen(layer) else hidden).add(statmap.key)
        failed = {m.key for m in self._maps() if self._opener.has_failed(m)}
        self.view.set_states(shown, hidden - shown, failed)

    def _show_progress(self, percents: dict[str, int]) -> None:
        keys = {statmap.file.filename: statmap.key for statmap in self._maps()}
        self.view.set_progress(
            {keys[name]: part for name, part in percents.items() if name in keys}
        )

    def _show_problems(self) -> None:
        results = self._results
        problems = results.problems if results is not None else ()
        self.problems.value = for_qt("\n".join(dict.fromkeys(problems)))
        self.problems.visible = bool(problems)

    def _describe(self, *event: object) -> None:
        """Say what the chosen map is, or what to do."""
        results, chosen = self._results, self.view.chosen()
        for button in (self.alone, self.add, self.hide_them):
            button.enabled = bool(chosen)
        self.alone.text = "Try again" if self._failed_of(chosen) else "Show alone"
        if results is None:
            self.map_description.say(_NOTHING_OPEN)
        elif not chosen:
            shown = sum(shown_maps.is_shown(self._viewer, m) for m in self._maps())
            self.map_description.say(
                f"{counted(len(results.maps), 'map')}, {shown} shown. Double-click a "
                "map, or press Enter, to show it alone; the space bar shows and hides "
                "it."
            )
        else:
            self.map_description.show_map(chosen[0], self._viewer.layers)

    def _ask_what_it_holds(self, event: object = None) -> None:
        if chosen := self.view.chosen():
            show_kind_form(self._viewer, chosen[0], self._opener.changed.emit)

    # --- showing ----------------------------------------------------------------------

    def _clicked(self, index: QModelIndex) -> None:
        """Open or close an eye."""
        if index.column() == _EYE:
            self._turn_eye(index)

    def _turn_eye(self, index: QModelIndex) -> None:
        statmap = self.view.map_at(index)
        if statmap is None:
            return
        if shown_maps.is_shown(self._viewer, statmap):
            shown_maps.hide_map(self._viewer, statmap)
        else:
            self._opener.lay_over([statmap])

    def _entered(self, index: QModelIndex) -> None:
        if (statmap := self.view.map_at(index)) is not None:
            self._opener.show(statmap)

    def _double_clicked(self, index: QModelIndex) -> None:
        statmap = self.view.map_at(index)
        if statmap is not None and index.column() != _EYE:
            self._opener.show(statmap)

    def _failed_of(self, statmaps: Iterable[StatMap]) -> list[StatMap]:
        return [one for one in statmaps if self.view.state_of(one) == FETCH_FAILED]

    def _show_alone(self, event: object = None) -> None:
        chosen = self.view.chosen()
        if failed := self._failed_of(chosen):
            self._opener.lay_over(failed)
        elif chosen:
            self._opener.show(chosen[0])

    def _lay_over(self, event: object = None) -> None:
        self._opener.lay_over(self.view.chosen())

    def _hide(self, event: object = None) -> None:
        for statmap in self.view.chosen():
            shown_maps.hide_map(self._viewer, statmap)


@dataclass(frozen=True)
class MapGroup:
    """The heading of maps of one contrast with one correction.

    Attributes
    ----------
    title : str
        What they have in common.
    """

    title: str


class _GroupedRows(RowModel):
    """Maps below the headings of their groups, which cannot be chosen."""

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Let only maps be chosen."""
        if index.isValid() and isinstance(self.rows[index.row()], MapGroup):
            return Qt.ItemFlag.ItemIsEnabled
        return super().flags(index)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows; headings are bold."""
        heading = index.isValid() and isinstance(self.rows[index.row()], MapGroup)
        if heading and role == Qt.ItemDataRole.FontRole:
            font = QFont()
            font.setBold(True)
            return font
        return super().data(index, role)


class MapList(TableView):
    """List the maps that filters let through: by contrast, correction and quantity."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(_GroupedRows(self._columns(), parent), parent)
        self.setAccessibleName("Maps of the result")
        self._shown: Collection[str] = ()
        self._hidden: Collection[str] = ()
        self._failed: Collection[str] = ()
        self._progress: Mapping[str, int] = _NO_PROGRESS
        self.setAllColumnsShowFocus(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setMinimumHeight(_LOWEST)
        self.header().setMinimumSectionSize(24)
        # Where layer lists have it.
        self.header().moveSection(_EYE, 0)

    def _columns(self) -> list[Column]:
        cells: dict[str, Callable[[StatMap], str]] = {
            "Map": _name_in_group,
            "Size": lambda statmap: size_text(statmap.file.nbytes),
            "State": self.state_of,
        }
        return [
            *(
                Column(
                    title,
                    value=_but_for_headings(cell, is_first=title == "Map"),
                    tooltip=_in_full,
                    right=title == "Size",
                )
                for title, cell in cells.items()
            ),
            Column(
                "",
                "Whether the map is on the canvas; a click shows or hides it",
                value=lambda row: "",
                tooltip=self._eye_in_words,
                icon=self._eye,
            ),
        ]

    def is_shown(self, statmap: StatMap) -> bool:
        """Whether the eye of a map is open."""
        return statmap.key in self._shown

    def map_at(self, index: QModelIndex) -> StatMap | None:
        """Return the map of a row, None for a heading."""
        row = self.rows.rows[index.row()]
        return row if isinstance(row, StatMap) else None

    @property
    def maps(self) -> list[StatMap]:
        """The maps that are listed, from top to bottom."""
        return [row for row in self.rows.rows if isinstance(row, StatMap)]

    def _eye_in_words(self, row: StatMap | MapGroup) -> str:
        if isinstance(row, MapGroup):
            return row.title
        return "shown: a click hides it" if self.is_shown(row) else "not shown"

    def _eye(self, row: StatMap | MapGroup) -> QIcon:
        if isinstance(row, MapGroup):
            return QIcon()
        return _draw_eye(self.palette().text().color(), self.is_shown(row))

    def list_maps(
        self,
        results: ResultSet | None,
        *,
        words: Sequence[str] = (),
        kind: str = ANY,
        correction: str = ANY,
    ) -> None:
        """List a result's maps.

        Parameters
        ----------
        results : ResultSet or None
            None for an empty list.
        words : sequence of str
            Keep maps whose names or file name have all of them, whatever the case.
        kind, correction : str
            Keep maps of one kind, and with one correction.
        """
        maps = list(results.maps.values()) if results is not None else []
        kept = [
            statmap
            for statmap in maps
            if kind in {ANY, str(statmap.kind)}
            and correction in {ANY, correction_text(statmap)}
            and _has(statmap, words)
        ]
        # Which group a map is of is said, unless the result has no other.
        alone = len(set(map(_group_of, maps))) == 1
        self.rows.show(kept if alone else _grouped(kept))
        for number, shown in enumerate(self.rows.rows):
            is_heading = isinstance(shown, MapGroup)
            self.setFirstColumnSpanned(number, QModelIndex(), is_heading)

    # --- where the maps are -----------------------------------------------------------

    def set_states(
        self,
        shown: Collection[str],
        hidden: Collection[str],
        failed: Collection[str],
    ) -> None:
        """Say what is known of maps, by key.

        Parameters
        ----------
        shown, hidden : collection of str
            Maps with a layer that is visible, and with one that is not.
        failed : collection of str
            Maps that could not be had.
        """
        self._shown, self._hidden, self._failed = shown, hidden, failed
        self.rows.repaint(_STATE, _EYE)

    def set_progress(self, progress: Mapping[str, int]) -> None:
        """Say how far downloads are: key -> percent."""
        if progress != self._progress:
            self._progress = progress
            self.rows.repaint(_STATE)

    def state_of(self, statmap: StatMap) -> str:
        """Say where a map is."""
        if statmap.key in self._shown:
            return _SHOWN
        if statmap.key in self._hidden:
            return _HIDDEN
        if (percent := self._progress.get(statmap.key)) is not None:
            return f"{percent} %"
        if statmap.key in self._failed:
            return FETCH_FAILED
        return _ON_DISK if statmap.at_hand else _REMOTE

    # --- choosing ---------------------------------------------------------------------

    def chosen(self) -> list[StatMap]:
        """Return the chosen maps, from top to bottom."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        found = [self.rows.rows[row] for row in rows]
        return [row for row in found if isinstance(row, StatMap)]

    def moveCursor(self, action: Any, modifiers: Qt.KeyboardModifier) -> QModelIndex:
        """Step over headings: there is nothing to do on them."""
        index = super().moveCursor(action, modifiers)
        up = action in (self.CursorAction.MoveUp, self.CursorAction.MovePageUp)
        rows, at = self.rows.rows, index.row()
        below, above = range(at, len(rows)), range(at, -1, -1)
        ways = (above, below) if up else (below, above)
        for line in (line for way in ways for line in way if line >= 0):
            if isinstance(rows[line], StatMap):
                return index.siblingAtRow(line)
        return index

    def current_map(self) -> StatMap | None:
        """Return the map that arrow keys start from, None before the first of them."""
        index = self.currentIndex()
        return self.map_at(index) if index.isValid() else None

    def stay_at(self, statmap: StatMap | None) -> None:
        """Let arrow keys start from a map, if it is listed; nothing is chosen by it."""
        if statmap is not None and statmap in self.rows.rows:
            index = self.rows.index(self.rows.rows.index(statmap), 0)
            self.selectionModel().setCurrentIndex(
                index, QItemSelectionModel.SelectionFlag.NoUpdate
            )

    def choose(self, statmaps: Iterable[StatMap]) -> None:
        """Choose maps, those that are listed."""
        flags = QItemSelectionModel.SelectionFlag
        selection, listed = self.selectionModel(), self.rows.rows
        selection.clearSelection()
        for statmap in statmaps:
            if statmap in listed:
                index = self.rows.index(listed.index(statmap), 0)
                selection.select(index, flags.Select | flags.Rows)


def _draw_eye(color: QColor, opened: bool) -> QIcon:
    """Draw an eye; a shut one is a line."""
    picture = QPixmap(_EYE_PIXELS, _EYE_PIXELS)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(color, 1.5))
    if opened:
        painter.drawEllipse(QRectF(1, 4, 14, 8))
        painter.setBrush(color)
        painter.drawEllipse(QRectF(6, 6, 4, 4))
    else:
        painter.drawLine(3, 8, 13, 8)
    painter.end()
    return QIcon(picture)


def correction_text(statmap: StatMap) -> str:
    """Say how a map is corrected, in few words."""
    if statmap.correction is None:
        return _UNCORRECTED
    level = f"{statmap.level}-level " if statmap.level == "cluster" else ""
    return f"{level}{statmap.correction}"


def _grouped(maps: Iterable[StatMap]) -> list[StatMap | MapGroup]:
    """Put maps below headings: contrasts, in them corrections, in their order."""
    by_contrast: dict[str, dict[str, list[StatMap]]] = {}
    for statmap in maps:
        contrast, correction = _group_of(statmap)
        groups = by_contrast.setdefault(contrast, {})
        groups.setdefault(correction, []).append(statmap)
    rows: list[StatMap | MapGroup] = []
    for contrast, groups in by_contrast.items():
        for correction, found in groups.items():
            title = SEPARATOR.join(part for part in (contrast, correction) if part)
            rows += [MapGroup(title or _OTHERS), *found]
    return rows


def _group_of(statmap: StatMap) -> tuple[str, str]:
    """Return contrast and correction of a map as its short title writes them."""
    name = statmap.name
    if name is None:
        return "", correction_text(statmap) if statmap.correction else ""
    # What has no p has nothing to be corrected.
    correction = SEPARATOR.join(correction_in_short(name)) or (
        "" if name.contrast and not statmap.kind.row.has_p else _UNCORRECTED
    )
    run = " ".join(part for part in name.run if part)
    run = run if statmap.short_title.startswith(f"{run}{SEPARATOR}") else ""
    parts = (run, contrast_in_words(name))
    return SEPARATOR.join(part for part in parts if part), correction


def _name_in_group(statmap: StatMap) -> str:
    """Return what a heading does not say of a map: the quantity, and what else."""
    said = {part for group in _group_of(statmap) for part in group.split(SEPARATOR)}
    parts = statmap.short_title.split(SEPARATOR)
    rest = [part for part in parts[:-1] if part not in said]
    return SEPARATOR.join([*rest, parts[-1]])


def _but_for_headings(
    cell: Callable[[StatMap], str], *, is_first: bool
) -> Callable[[StatMap | MapGroup], str]:
    """Let headings say in the first column what they are, and nothing in others."""

    def text(row: StatMap | MapGroup) -> str:
        if isinstance(row, MapGroup):
            return row.title if is_first else ""
        return cell(row)

    return text


def _in_full(row: StatMap | MapGroup) -> str:
    if isinstance(row, MapGroup):
        return row.title
    return f"{row.title}\n{row.file.filename}\n{row.kind.meaning}"


def _has(statmap: StatMap, words: Sequence[str]) -> bool:
    texts = (statmap.title, statmap.short_title, statmap.file.filename)
    text = " ".join((*texts, *_group_of(statmap))).lower()
    return all(word.lower() in text for word in words)
