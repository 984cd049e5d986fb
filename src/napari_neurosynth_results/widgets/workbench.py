"""The one panel: what is open, what is found, and all that can be done, in tabs.

The header says at any time which result and which map is worked with, what was found
and where the slices are. What a tab holds is made when it is first looked at. The panel
keeps nothing: what is shown stands in the layers, so that closing it loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QDockWidget,
    QFrame,
    QLineEdit,
    QMainWindow,
    QScrollArea,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_neurosynth_results.job import Job, Meter
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.viewer.napari_private import unproxied
from napari_neurosynth_results.viewer.plugin.messages import PANEL
from napari_neurosynth_results.widgets.clusters.widget import ClusterWidget
from napari_neurosynth_results.widgets.common.background_job import (
    EndWhenClosed,
    PaneKeys,
    ScrolledPane,
    WaitLine,
    focus_first,
)
from napari_neurosynth_results.widgets.common.layout import (
    EnterPresses,
    FocusMark,
    name_controls,
    order_focus,
)
from napari_neurosynth_results.widgets.header import Header
from napari_neurosynth_results.widgets.maps.opener import ResultOpener
from napari_neurosynth_results.widgets.threshold.widget import ThresholdWidget

if TYPE_CHECKING:
    import napari.viewer

Tab = Literal["Clusters", "Maps", "Compare", "Views", "Export"]
TABS: tuple[Tab, ...] = ("Clusters", "Maps", "Compare", "Views", "Export")

_WIDTH, _HEIGHT = 420, 640
_SETTLED_MS = 100
_LOWEST_TAB = 60
_MARGINS = (2, 4, 2, 2)
_KEYS = "Ctrl+Tab: next tab. F6: from the canvas to the panel and back; Escape: back"
#: Of the application: a user has closed the panel, and does not want it again.
_CLOSED = "neurosynth_results_panel_closed"


class ClustersPanel(ScrolledPane):
    """The threshold and the table of what survives it, in one place.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer whose maps are thresholded.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.threshold = ThresholdWidget(napari_viewer, is_part=True)
        self.table = ClusterWidget(napari_viewer, is_part=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.threshold.native)
        layout.addWidget(self.table.native, 1)


class Workbench(QWidget):
    """Everything about results in one panel.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer to work with.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.opener = ResultOpener(napari_viewer, self)
        self.header = Header(napari_viewer, self.opener, self)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        # Nor the bright line that a style draws above its tabs.
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.setAccessibleName("Parts of the panel")
        self._panels: dict[str, Any] = {}
        for name in TABS:
            self.tabs.addTab(_TabArea(name), name)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 0)
        layout.setSpacing(3)
        layout.addWidget(self.header)
        layout.addWidget(self.tabs, 1)
        # At the foot, where nothing jumps when it comes and goes.
        self.wait_line = WaitLine()
        layout.addWidget(self.wait_line)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.tabs.currentChanged.connect(self._make_current)
        self.header.result_chosen.connect(self._list_maps)
        self.tabs.tabBar().setAccessibleName("Parts of the panel")
        for index in range(len(TABS)):
            self.tabs.setTabToolTip(index, _KEYS)
        name_controls(self.header)
        EndWhenClosed(self)
        self._make_current()
        self.focus_mark = FocusMark(self)
        EnterPresses(self)
        _PanelKeys(self, self.focus_mark)
        #: Somebody has drawn its border elsewhere.
        self._is_sized_by_hand = False
        # Qt lays docks out anew for a while after a window has changed.
        self._resized = QTimer(self)
        self._resized.setSingleShot(True)
        self._resized.setInterval(_SETTLED_MS)
        self._resized.timeout.connect(self._take_room)

    def sizeHint(self) -> QSize:
        """As wide as it is at first; a dock asks once."""
        return QSize(_WIDTH, _HEIGHT)

    def resizeEvent(self, event: Any) -> None:
        """Notice who chooses a width: then it stays."""
        super().resizeEvent(event)
        if QApplication.mouseButtons() & Qt.MouseButton.LeftButton:
            self._is_sized_by_hand = True
            self._resized.stop()

    def showEvent(self, event: Any) -> None:
        """Follow the size of the window that it is in."""
        super().showEvent(event)
        self.window().installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Take the room that was wanting once the window is larger."""
        if event.type() == QEvent.Type.Resize and not self._is_sized_by_hand:
            self._resized.start()
        return bool(super().eventFilter(watched, event))

    def _take_room(self) -> None:
        main, dock = self.window(), self.parentWidget()
        # A script may have put the panel elsewhere.
        is_docked = isinstance(main, QMainWindow) and isinstance(dock, QDockWidget)
        if is_docked and dock.width() < _WIDTH:
            main.resizeDocks([dock], [_WIDTH], Qt.Orientation.Horizontal)

    def event(self, event: Any) -> bool:
        """Notice that the dock has let the panel go, which closing it does."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            QApplication.instance().setProperty(_CLOSED, True)
        return bool(super().event(event))

    # --- what is waited for -----------------------------------------------------------

    def show_wait(self, what: str, job: Job, meter: Meter) -> bool:
        """Say what the window waits for, whoever asked for it; and whether in sight."""
        self.wait_line.show_wait(what, job, meter)
        self.header.tell_of_wait(what)
        return bool(self.isVisible())

    def end_wait(self, told: str = "") -> bool:
        """Say what came of it, or nothing; and whether in sight."""
        self.wait_line.end_wait(told)
        self.header.tell_of_wait("")
        return bool(self.isVisible())

    # --- tabs -------------------------------------------------------------------------

    def show_tab(self, name: Tab) -> Any:
        """Bring a tab to view.

        Returns
        -------
        QWidget or Container
            What is in it.
        """
        self.tabs.setCurrentIndex(TABS.index(name))
        return self.panel(name)

    def panel(self, name: Tab) -> Any:
        """Return what a tab holds, made now if nobody has looked at it before."""
        if name not in self._panels:
            make: dict[Tab, Callable[[], Any]] = {
                "Clusters": lambda: ClustersPanel(self._viewer),
                "Maps": self._make_maps,
                "Compare": self._make_compare,
                "Views": self._make_views,
                "Export": self._make_export,
            }
            made = self._panels[name] = make[name]()
            if name in ("Maps", "Compare", "Export"):
                made.margins = _MARGINS
            native = getattr(made, "native", made)
            name_controls(native)
            self.tabs.widget(TABS.index(name)).setWidget(native)
            order_focus(self)
        return self._panels[name]

    # --- without a mouse --------------------------------------------------------------

    def focus_tab(self) -> None:
        """Give the keyboard to the first control of the tab."""
        if not focus_first(self.tabs.currentWidget()):
            self.tabs.tabBar().setFocus(Qt.FocusReason.ShortcutFocusReason)

    # --- what a workspace keeps -------------------------------------------------------

    def current_tab(self) -> Tab:
        """Return the tab that is in front."""
        current: Tab = TABS[self.tabs.currentIndex()]
        return current

    def compared(self) -> tuple[list[StatMap], str]:
        """Return the maps that are compared, and how they are seen together."""
        panel = self._panels.get("Compare")
        return (panel.maps.checked, panel.together) if panel is not None else ([], "")

    def compare(self, maps: list[StatMap], together: str) -> None:
        """Compare maps, and see them together."""
        self.panel("Compare").compare(maps, together)

    @contextmanager
    def each_map_alone(self) -> Iterator[None]:
        """Give layers for a while the look that they have alone."""
        panel = self._panels.get("Compare")
        with panel.seen_alone() if panel is not None else nullcontext():
            yield

    def made(self, name: Tab) -> Any:
        """Return what a tab holds, None while nobody has looked at it."""
        return self._panels.get(name)

    def _make_current(self, index: int = 0) -> None:
        self.panel(TABS[self.tabs.currentIndex()])
        # Ctrl+Tab leaves the keyboard with what only scrolls, or with nobody.
        QTimer.singleShot(0, self._keep_focus)

    def _keep_focus(self) -> None:
        now = QApplication.focusWidget()
        if isinstance(now, QScrollArea) and self.tabs.isAncestorOf(now):
            self.focus_tab()

    # What a tab needs is loaded when somebody looks at it.

    def _make_maps(self) -> Any:
        from napari_neurosynth_results.widgets.maps.maps_panel import MapsPanel

        panel = MapsPanel(self._viewer, self.opener)
        panel.list_result(self.header.result)
        return panel

    def _make_compare(self) -> Any:
        from napari_neurosynth_results.widgets.compare.widget import CompareWidget

        return CompareWidget(self._viewer, self.opener)

    def _make_views(self) -> Any:
        from napari_neurosynth_results.widgets.views import ViewsPanel

        return ViewsPanel(self._viewer)

    def _make_export(self) -> Any:
        from napari_neurosynth_results.widgets.commands import ExportPanel

        return ExportPanel(self._viewer)

    def _list_maps(self, results: object) -> None:
        if (panel := self._panels.get("Maps")) is not None:
            panel.list_result(self.header.result)


class _PanelKeys(PaneKeys):
    """Leads the keyboard to the tab in front, and knows the line of the place."""

    def _enter(self) -> None:
        self._pane.focus_tab()

    def _empty(self, line: QLineEdit) -> bool:
        """Forget what is being typed as a place, but not where the slices are."""
        place = self._pane.header.place
        if not place.isAncestorOf(line):
            return super()._empty(line)
        if line.isModified():
            place.undo()
            return True
        return False


class _TabArea(QScrollArea):
    """Lets a tab scroll up and down; the panel is as wide as it needs at least.

    Parameters
    ----------
    name : str
        Of the tab.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMinimumHeight(_LOWEST_TAB)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._needed: tuple[QSize, QSize] | None = None

    def minimumSizeHint(self) -> QSize:
        """Leave room for what the tab holds, and for the bar beside it."""
        least: QSize = super().minimumSizeHint()
        if (inner := self.widget()) is not None:
            bar = self.verticalScrollBar().sizeHint().width()
            least.setWidth(max(least.width(), inner.minimumSizeHint().width() + bar))
        return least

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Notice that the tab needs more room, or less."""
        if event.type() == QEvent.Type.LayoutRequest:
            needed = self.minimumSizeHint(), self.sizeHint()
            # Whoever is above lays out and paints all of the panel once more.
            if needed != self._needed:
                self._needed = needed
                self.updateGeometry()
        return bool(super().eventFilter(watched, event))


# --- the commands of the menus --------------------------------------------------------


def workbench_of(napari_viewer: napari.viewer.Viewer) -> Workbench | None:
    """Find the panel of a viewer, shown or hidden."""
    docks = unproxied(napari_viewer).window.dock_widgets
    return next((one for one in docks.values() if isinstance(one, Workbench)), None)


def open_workbench(
    napari_viewer: napari.viewer.Viewer, tab: Tab | None = None
) -> Workbench:
    """Show the panel, the one that is there if there is one.

    Parameters
    ----------
    napari_viewer : Viewer
        Where it is docked.
    tab : str, optional
        What to bring to view; the tab that was looked at last when not given.
    """
    window = unproxied(napari_viewer).window
    found = workbench_of(napari_viewer)
    if found is None:
        found = Workbench(napari_viewer)
        # As napari's own menu calls it, which then finds this one.
        window.add_dock_widget(found, name=f"{PANEL} ({PANEL})")
    dock = found.parentWidget()
    dock.show()
    dock.raise_()
    if tab is not None:
        found.show_tab(tab)
        # Who chose it from a menu goes on there, with a mouse or without.
        found.focus_tab()
    return found


def open_by_itself(napari_viewer: napari.viewer.Viewer) -> bool:
    """Show the panel with the first result, unless somebody closed it before.

    Returns
    -------
    bool
        Whether it is in sight.
    """
    # A viewer without a window has no place for it.
    if not hasattr(unproxied(napari_viewer), "window"):
        return False
    found = workbench_of(napari_viewer)
    if found is None and not QApplication.instance().property(_CLOSED):
        found = open_workbench(napari_viewer)
    return found is not None and found.isVisible()


def open_link(napari_viewer: napari.viewer.Viewer) -> None:
    """Show the panel with its line for a link, an id or a path."""
    open_workbench(napari_viewer).header.ask_for_source()


def show_clusters_tab(napari_viewer: napari.viewer.Viewer) -> None:
    """Show the panel with threshold and clusters."""
    open_workbench(napari_viewer, "Clusters")


def show_maps_tab(napari_viewer: napari.viewer.Viewer) -> None:
    """Show the panel with the list of all maps."""
    open_workbench(napari_viewer, "Maps")


def show_compare_tab(napari_viewer: napari.viewer.Viewer) -> None:
    """Show the panel with the comparison of maps."""
    open_workbench(napari_viewer, "Compare")


def show_views_tab(napari_viewer: napari.viewer.Viewer) -> None:
    """Show the panel with planes, 3D, glass brain and cortex."""
    open_workbench(napari_viewer, "Views")


def show_foci_tab(napari_viewer: napari.viewer.Viewer) -> None:
    """Show the panel with the foci of studies."""
    open_workbench(napari_viewer, "Views").panel("Views").unfold_foci()


def show_export_tab(napari_viewer: napari.viewer.Viewer) -> None:
    """Show the panel with all that can be saved."""
    open_workbench(napari_viewer, "Export")


def show_ortho_view(
    napari_viewer: napari.viewer.Viewer,
    where: Literal["center", "bottom"] | None = None,
) -> None:
    """Show three planes, over the canvas or where they were last."""
    from napari_neurosynth_results.viewer.brain_views.scene_memory import remember_scene
    from napari_neurosynth_results.widgets.ortho.widget import show_ortho

    remember_scene(napari_viewer)
    show_ortho(napari_viewer, where)


def go_back_to_scene(napari_viewer: napari.viewer.Viewer) -> None:
    """Show again what was seen before a view was chosen."""
    panel = workbench_of(napari_viewer)
    views = panel.made("Views") if panel is not None else None
    if views is not None:
        views.go_back()
    else:
        from napari_neurosynth_results.viewer.brain_views.scene_memory import (
            return_to_scene,
        )

        return_to_scene(napari_viewer)
