"""The cluster widget: the table, and the viewer that follows it, both ways."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, ComboBox, Container, LineEdit, PushButton
from qtpy.QtCore import QModelIndex, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut, QSplitter, QToolButton, QVBoxLayout, QWidget

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.statistics.clusters.cluster_set import (
    ClusterSet,
)
from napari_neurosynth_results.statistics.clusters.true_discoveries import write_percent
from napari_neurosynth_results.statistics.thresholds.apply import name_values
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.glass import glass_of
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    choose,
    chosen_label,
    cluster_layer,
    clusters_of,
    rename,
)
from napari_neurosynth_results.viewer.clusters.history import (
    remember_names,
    take_back_name,
)
from napari_neurosynth_results.viewer.clusters.picking import follow_mouse
from napari_neurosynth_results.viewer.napari_private import unproxied
from napari_neurosynth_results.viewer.shown_maps import (
    LayerWatch,
    current_map,
    layer_of,
    show_alone,
)
from napari_neurosynth_results.widgets.clusters.table import ClusterModel, ClusterView
from napari_neurosynth_results.widgets.common.background_job import let_stand_alone
from napari_neurosynth_results.widgets.common.layout import (
    ElidedLabel,
    fold_button,
    name_controls,
    narrow,
    order_focus_around,
    row,
    wrapped_text,
)
from napari_neurosynth_results.widgets.common.save_dialogs import (
    CLUSTER_TABLES,
    LABEL_VOLUMES,
    FigureButton,
    ask_and_save,
    beside_window,
    cluster_figures,
    needed_for_tables,
)

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer

    from napari_neurosynth_results.widgets.clusters.details import ClusterDetails

_NOTHING = (
    "No clusters yet. Threshold a map: Layers > Segment > Threshold and clusters."
)
_DRAWER = "Regions, active parts, studies, studies x clusters"
_TABLE_KINDS = "For programs (TSV, CSV) or for a paper (Markdown, LaTeX, HTML)"
#: Wherever the keyboard is in the window; napari uses none of them.
_KEYS = {
    "next": "Ctrl+Alt+N",
    "previous": "Ctrl+Alt+B",
    "peak": "Ctrl+Alt+P",
    "center": "Ctrl+Alt+M",
}


class ClusterWidget(Container):
    """List the clusters of a map, and jump to them.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer whose clusters are listed.
    is_part : bool
        Whether a panel around it says what was found, and lets it scroll.
    """

    def __init__(self, napari_viewer: Viewer, *, is_part: bool = False) -> None:
        super().__init__(labels=False)
        # Not the stand-in that widgets are given: each of its answers takes longer.
        self._viewer = unproxied(napari_viewer)
        self._layer: Labels | None = None
        #: The label that napari had chosen when it last spoke of it.
        self._followed = 0
        self._selecting = False
        self._make_form()
        self._make_table()
        if is_part:
            self._become_part()
        else:
            let_stand_alone(self)
        self._connect()
        self._refresh()
        name_controls(self.native)

    # --- the form ---------------------------------------------------------------------

    def _make_form(self) -> None:
        self.map = ComboBox(
            choices=self._layer_choices, tooltip="Maps whose clusters are shown"
        )
        self.map.native.setAccessibleName("Map")
        narrow(self.map)
        self.sentence = wrapped_text()
        self.filter = LineEdit()
        self.filter.native.setPlaceholderText("Filter: words in the table")
        self.filter.native.setClearButtonEnabled(True)
        self.filter.native.setAccessibleName("Filter clusters")
        self.previous, self.next = PushButton(text="◀"), PushButton(text="▶")
        self.peak, self.center = PushButton(text="Peak"), PushButton(text="Center")
        for button, what in (
            (self.previous, "previous"),
            (self.next, "next"),
            (self.peak, "peak"),
            (self.center, "center"),
        ):
            button.tooltip = f"Go to the {what} ({_KEYS[what]})"
            button.native.setAccessibleName(f"Go to the {what}")
        self.only = CheckBox(text="Only this", tooltip="Hide all other clusters")
        # One line: nothing above moves while the mouse does.
        self.pointed = ElidedLabel()
        self.pointed.say(" ")
        self.columns = PushButton(text="Columns")
        self.copy = PushButton(text="Copy", tooltip="Copy the table as text")
        self.save_table = PushButton(text="Save table...", tooltip=_TABLE_KINDS)
        self.save_labels = PushButton(
            text="Save labels...", tooltip="Save the label volume as NIfTI"
        )
        self.save_figure = FigureButton(
            lambda: cluster_figures(self.clusters, self._viewer)
        )

    def _make_table(self) -> None:
        self.model = ClusterModel(self.native)
        self.view = ClusterView(self.model)
        self.files = row(self.save_table, self.save_labels, self.save_figure)
        self.extend(
            [
                self.map,
                self.sentence,
                row(self.filter, self.columns, self.copy),
                row(self.previous, self.next, self.peak, self.center, self.only),
                self.files,
            ]
        )
        self.model.show_others(False)
        self.others = QToolButton()
        self.others.setCheckable(True)
        self.others.setAutoRaise(True)
        self.others.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.others.setArrowType(Qt.ArrowType.RightArrow)
        self.others.hide()
        self._details = _Drawer(self._make_details)
        self.drawer = fold_button(_DRAWER, self._details)
        both = QSplitter(Qt.Orientation.Vertical)
        both.addWidget(self.view)
        both.addWidget(self._details)
        both.setChildrenCollapsible(False)
        # Below the buttons that steer.
        self.native.layout().insertWidget(4, both, 1)
        self.native.layout().insertWidget(5, self.others)
        self.native.layout().insertWidget(6, self.drawer)
        self.native.layout().insertWidget(7, self.pointed)

    @property
    def details(self) -> ClusterDetails:
        """What is known of a cluster beside its row; made when first looked at."""
        self._details.make()
        made: ClusterDetails = self._details.holds
        return made

    def _make_details(self) -> ClusterDetails:
        from napari_neurosynth_results.widgets.clusters.details import ClusterDetails

        made = ClusterDetails(self._viewer, self._details)
        made.picked.connect(self._go_to)
        chosen = chosen_label(self._layer) if self._layer is not None else 0
        made.show_clusters(self.clusters, chosen)
        name_controls(made)
        return made

    def _detail(self, clusters: ClusterSet | None, label: int) -> None:
        if self._details.holds is not None:
            self._details.holds.show_clusters(clusters, label)

    def _become_part(self) -> None:
        """Leave to a panel around this one what it says or offers already."""
        for widget in (self.map, self.sentence, self.files):
            widget.visible = False
        self.margins = (0, 0, 0, 0)

    def _connect(self) -> None:
        self.map.changed.connect(self._choose_map)
        self.filter.changed.connect(self._filter)
        self.others.toggled.connect(self._show_others)
        self.view.columns_changed.connect(self._filter)
        self.previous.changed.connect(self.go_previous)
        self.next.changed.connect(self.go_next)
        self.peak.changed.connect(self.go_to_peak)
        self.center.changed.connect(self.go_to_center)
        self.only.changed.connect(self._hide_others)
        self.columns.changed.connect(self._choose_columns)
        self.copy.changed.connect(self.view.copy)
        for button, *of in (
            (self.save_table, "Save the table of clusters", ".tsv", CLUSTER_TABLES),
            (self.save_labels, "Save the label volume", ".nii.gz", LABEL_VOLUMES),
        ):
            button.changed.connect(partial(self._save, *of))
        self.model.renamed.connect(self._rename)
        self.view.selectionModel().currentChanged.connect(self._select)
        for what, act in (
            ("next", self.go_next),
            ("previous", self.go_previous),
            ("peak", self.go_to_peak),
            ("center", self.go_to_center),
        ):
            shortcut = QShortcut(QKeySequence(_KEYS[what]), self.native)
            shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
            shortcut.activated.connect(act)
            # As there are in the panel and in a dock of its own at once.
            shortcut.activatedAmbiguously.connect(act)
        self.view.undo_pressed.connect(self._take_back_name)
        self._watch = LayerWatch(self._viewer, self._refresh, self._follow_active)
        follow_mouse(self._viewer, self._pick, self._point)
        # Bound methods are held weakly by napari: closing the widget ends them.
        self._viewer.events.mouse_over_canvas.connect(self._leave)

    def _layer_choices(self, widget: object = None) -> list[tuple[str, Labels]]:
        return [
            (layer.name.removesuffix(": clusters"), layer)
            for layer in reversed(self._viewer.layers)
            if clusters_of(layer) is not None
        ]

    # --- what is shown ----------------------------------------------------------------

    @property
    def clusters(self) -> ClusterSet | None:
        """The clusters in the table."""
        return clusters_of(self._layer) if self._layer is not None else None

    def _refresh(self, event: object = None) -> None:
        """Follow the layers of the viewer."""
        with self.map.changed.blocked():
            self.map.reset_choices()
        self._follow_active()

    def _follow_active(self, event: object = None) -> None:
        """Show the clusters of the map that the user works with."""
        statmap = current_map(self._viewer)
        layer = cluster_layer(self._viewer, statmap) if statmap is not None else None
        if statmap is None and self.map.choices:
            # The map was deleted, and its clusters were not.
            layer = self.map.choices[0]
        if layer is not None and layer in self.map.choices:
            with self.map.changed.blocked():
                self.map.value = layer
        if layer is not self._layer or layer is None:
            self._show_layer(layer)

    def _choose_map(self, layer: Labels | None) -> None:
        """Show the map alone whose clusters the user wants to see."""
        clusters = clusters_of(layer) if layer is not None else None
        if clusters is not None and layer_of(self._viewer, clusters.statmap):
            show_alone(self._viewer, clusters.statmap)
        self._follow_active()

    def _show_layer(self, layer: Labels | None) -> None:
        if self._layer is not None:
            self._layer.events.features.disconnect(self._show)
            self._layer.events.colormap.disconnect(self._show_colors)
            self._layer.events.selected_label.disconnect(self._follow_label)
        self._layer = layer
        if self._layer is not None:
            # The features are announced whenever the clusters change.
            self._layer.events.features.connect(self._show)
            self._layer.events.colormap.connect(self._show_colors)
            self._layer.events.selected_label.connect(self._follow_label)
            self._followed = int(self._layer.selected_label)
            with self.only.changed.blocked():
                self.only.value = self._layer.show_selected_label
        self._show()
        self.view.fit_columns()

    def _show(self, event: object = None) -> None:
        """Fill the table, and keep what was selected and unfolded."""
        clusters, layer = self.clusters, self._layer
        self._selecting = True
        unfolded = self.view.unfolded()
        self.model.show(clusters, layer.colormap.colors if layer is not None else None)
        self._count_others()
        saving = (self.save_table, self.save_labels, self.save_figure)
        for widget in (self.filter, self.copy, *saving):
            widget.enabled = clusters is not None
        if clusters is None or layer is None:
            self.sentence.value = _NOTHING
            self.pointed.say(" ")
            self._selecting = False
            self._detail(None, 0)
            return
        self.sentence.value = str(clusters)
        self.view.follow_survival()
        self.view.unfold(unfolded)
        self.view.fit_longer()
        self._mark(chosen := chosen_label(layer))
        self._selecting = False
        self._detail(clusters, chosen)

    def _show_colors(self, event: object = None) -> None:
        if self._layer is not None:
            self.model.color(self._layer.colormap.colors)

    def _filter(self, event: object = None) -> None:
        self._arrange(
            lambda: self.model.filter(self.filter.value, self.view.shown_columns())
        )

    def _show_others(self, shown: bool) -> None:
        """Show, or fold away, the clusters that are not significant."""
        down, right = Qt.ArrowType.DownArrow, Qt.ArrowType.RightArrow
        self.others.setArrowType(down if shown else right)
        self._arrange(lambda: self.model.show_others(shown))
        self.view.fit_columns()

    def _arrange(self, act: Callable[[], None]) -> None:
        """Show other rows of the same clusters, and keep what was chosen."""
        before, self._selecting = self._selecting, True
        unfolded = self.view.unfolded()
        act()
        self._count_others()
        self.view.unfold(unfolded)
        if self._layer is not None:
            self._mark(chosen_label(self._layer))
        self._selecting = before

    def _count_others(self) -> None:
        n = self.model.n_others
        self.others.setVisible(n > 0)
        self.others.setText(f"{n} not significant")

    # --- both ways --------------------------------------------------------------------

    def _mark(self, label: int) -> None:
        """Select the row of a cluster without moving the viewer."""
        before, self._selecting = self._selecting, True
        if label and self.model.is_folded(label):
            self.others.setChecked(True)
        self.view.mark(label)
        self._selecting = before

    def _select(self, index: QModelIndex, before: QModelIndex | None = None) -> None:
        """Go where the row is, and outline its cluster."""
        if self._selecting or self._layer is None:
            return
        label = self.model.label_of(index)
        if not label:
            return
        self._choose(label)
        scene.jump_to(self._viewer, *self.model.place_of(index))

    def _choose(self, label: int | None) -> None:
        assert self._layer is not None
        before, self._selecting = self._selecting, True
        choose(self._layer, label)
        self._selecting = before
        if self._details.holds is not None:
            self.details.choose(label or 0)

    def _follow_label(self, event: object = None) -> None:
        """Follow napari's own table and its label spin box."""
        if self._layer is None:
            return
        label = int(self._layer.selected_label)
        # napari says so of the label that it was, too, when colors have changed.
        before, self._followed = self._followed, label
        if self._selecting or label == before or self.clusters is None:
            return
        if 1 <= label <= len(self.clusters) and label != chosen_label(self._layer):
            self._choose(label)
            self._mark(label)
            scene.jump_to(self._viewer, *self.model.place_of(self._current()))

    def _pick(self, layer: Labels | None, label: int, position: Any) -> None:
        """Select the row of the cluster that was clicked; a click beside deselects.

        In slices the place is where the click was, in 3D the peak: a line of sight
        passes many places. In the glass brain it is the strongest voxel along the line,
        which is what is seen there.
        """
        if self._is_projection():
            self._pick_in_glass(position)
            return
        if self._viewer.dims.ndisplay == 2:
            self._go_where(position)
        if layer is None:
            if self._layer is not None and chosen_label(self._layer):
                self._choose(None)
                self._mark(0)
            return
        if layer is not self._layer:
            self._viewer.layers.selection.active = layer
        if layer is self._layer:
            self._choose(label)
            self._mark(label)
            if self._viewer.dims.ndisplay == 3 and self.clusters is not None:
                row = self.clusters.table.iloc[label - 1]
                scene.jump_to(self._viewer, row.peak_x, row.peak_y, row.peak_z)

    def _pick_in_glass(self, position: Any) -> None:
        glass = glass_of(self._viewer)
        found = glass.strongest_at(position) if glass is not None else None
        if found is None:
            return
        statmap, label, place = found
        layer = cluster_layer(self._viewer, statmap)
        if layer is not None and layer is not self._layer:
            self._viewer.layers.selection.active = layer
        if layer is self._layer and label:
            self._choose(label)
            self._mark(label)
        scene.look_at(self._viewer, *place)

    def _is_projection(self) -> bool:
        """Whether the mouse is over the glass brain, and over no slice."""
        return self._viewer.dims.ndisplay == 2 and glass_of(self._viewer) is not None

    def _go_where(self, position: Any) -> None:
        """Move the place within the slice, unless the mouse is a brush."""
        active = self._viewer.layers.selection.active
        if self._viewer.dims.ndim < 3 or (active and active.mode != "pan_zoom"):
            return
        z, y, x = map(float, position[-3:])
        if not scene.refusal_of(self._viewer, (x, y, z)):
            scene.look_where_clicked(self._viewer, x, y, z)

    def _point(self, layer: Labels | None, label: int, position: Any) -> None:
        """Say what the mouse is over."""
        clusters = clusters_of(layer) if layer is not None and label else None
        if clusters is None or self._is_projection():
            self.pointed.say(" ")
            return
        assert layer is not None
        size = int(clusters.labelled.size[label - 1])
        value, here = clusters.values, ""
        # In 3D the place is where the line of sight begins, not in the cluster.
        if self._viewer.dims.ndisplay == 2:
            i, j, k = layer.world_to_data(position)[::-1].round().astype(int)
            # The file of a map may be gone since it was opened.
            with suppress(ResultsError):
                here = f": {name_values(value)} {value.data[i, j, k]:.3g}"
        tdp = write_percent(clusters.table["tdp_percent"].iloc[label - 1])
        self.pointed.say(
            clusters.names[label - 1],
            f"{here}, {size:,} voxels "
            f"({size * clusters.statmap.grid.voxel_mm3:,.0f} mm3)"
            + (f", TDP {tdp}" if tdp else ""),
        )

    def _leave(self, event: object = None) -> None:
        """Say no more of what the mouse was over."""
        if not self._viewer.mouse_over_canvas:
            self.pointed.say(" ")

    def _go_to(self, label: int) -> None:
        """Go to a cluster that was chosen elsewhere."""
        if self.model.is_folded(label):
            self.others.setChecked(True)
        index = self.model.index_of(label)
        if index.isValid():
            self.view.setCurrentIndex(index)

    def _current(self) -> QModelIndex:
        return self.view.selectionModel().currentIndex()

    def go_next(self) -> None:
        """Go to the next row."""
        self._step(1)

    def go_previous(self) -> None:
        """Go to the row before."""
        self._step(-1)

    def _step(self, way: int) -> None:
        n = self.model.rowCount()
        if not n:
            return
        current = self._current()
        if current.parent().isValid():
            current = current.parent()
        # Round and round, from the first or the last on.
        now = current.row() if current.isValid() else -1 if way > 0 else n
        self.view.setCurrentIndex(self.model.index((now + way) % n, 0))

    def go_to_peak(self) -> None:
        """Go to the peak of the chosen cluster."""
        if self._current().isValid():
            index = self.model.index_of(self.model.label_of(self._current()))
            scene.jump_to(self._viewer, *self.model.place_of(index))

    def go_to_center(self) -> None:
        """Go to the voxel of the chosen cluster nearest to its center of mass."""
        label, clusters = self.model.label_of(self._current()), self.clusters
        if label and clusters is not None:
            x, y, z = clusters.inner_centers[label - 1]
            scene.jump_to(self._viewer, float(x), float(y), float(z))

    def _hide_others(self, only: bool) -> None:
        if self._layer is not None:
            self._layer.show_selected_label = only

    def _rename(self, label: int, name: str) -> None:
        if self._layer is not None:
            remember_names(self._layer)
            rename(self._layer, label, name)

    def _take_back_name(self) -> None:
        if self._layer is not None:
            take_back_name(self._layer)

    # --- columns, copies and files ----------------------------------------------------

    def _choose_columns(self) -> None:
        button = self.columns.native
        self.view.choose_columns(button.mapToGlobal(button.rect().bottomLeft()))

    def _save(self, what: str, extension: str, kinds: str, *_: object) -> None:
        from napari_neurosynth_results.export.tables.clusters import save_clusters

        if (clusters := self.clusters) is not None:
            suggested = f"{clusters.statmap.key}_clusters{extension}"
            # A volume needs none of what tables do.
            needed = needed_for_tables(clusters) if kinds == CLUSTER_TABLES else []
            save = beside_window(partial(save_clusters, clusters), *needed)
            ask_and_save(self.native, what, suggested, kinds, save)


class _Drawer(QWidget):
    """Room for what is shut at first, and made when somebody opens it."""

    def __init__(self, make: Callable[[], QWidget]) -> None:
        super().__init__()
        # A part that keeps the whole is never freed where PySide6 draws.
        self._make = weakref.WeakMethod(make)
        self.holds: Any = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.hide()

    def make(self) -> None:
        """Make what is in it, once."""
        if self.holds is None and (make := self._make()) is not None:
            self.holds = make()
            self.layout().addWidget(self.holds)
            self.holds.setVisible(not self.isHidden())
            # The Tab key comes by here too from now on.
            order_focus_around(self)

    def setVisible(self, wanted: bool) -> None:
        """Make what is in it before it is seen."""
        if wanted:
            self.make()
        super().setVisible(wanted)
        if self.holds is not None:
            self.holds.setVisible(wanted)
