"""The compare widget: maps chosen from the layers, seen together, and in numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatSlider,
    PushButton,
)
from qtpy.QtCore import QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.export.tables.comparison import save_comparison
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.comparison import (
    Comparison,
    compare,
)
from napari_neurosynth_results.statistics.comparison.matrix import Matrix, compare_all
from napari_neurosynth_results.viewer.brain_views.brain import brain_of
from napari_neurosynth_results.viewer.clusters.atlas_choice import chosen_atlas
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
)
from napari_neurosynth_results.viewer.clusters.defaults import clusters_for
from napari_neurosynth_results.viewer.compare.comparison_layers import (
    FoundMaps,
    find_compared,
    show_agreement,
    show_compared,
    show_map,
)
from napari_neurosynth_results.viewer.compare.display_modes import JointDisplay
from napari_neurosynth_results.viewer.layers import (
    are_several,
    map_of,
    name_of_map,
    result_sets,
)
from napari_neurosynth_results.viewer.napari_private import (
    close_notifications,
    is_closed,
)
from napari_neurosynth_results.viewer.progress_bar import wait_for
from napari_neurosynth_results.viewer.scene import uncover_canvas
from napari_neurosynth_results.viewer.shown_maps import at_once, layer_of
from napari_neurosynth_results.widgets.common.layout import (
    align_labels,
    narrow,
    row,
    wrapped_text,
)
from napari_neurosynth_results.widgets.common.save_dialogs import (
    NEW_FOLDER,
    FigureButton,
    ask_and_save,
    beside_window,
    comparison_figures,
)
from napari_neurosynth_results.widgets.compare.map_choice import (
    MapChecklist,
    OtherResultField,
    PartnerButton,
)
from napari_neurosynth_results.widgets.compare.numbers import ComparisonNumbers

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.viewer import Viewer

    from napari_neurosynth_results.widgets.maps.opener import ResultOpener

_OWN, _SAME = "each map's own", "that of the first map for all"
_ALONE = "as they are"
_VIEWS = (_ALONE, "overlay", "outlines", "side by side", "blink", "swipe")
_FEW = "Check two maps or more of this result, or open another result beside it."
_BESIDE = "In 3D side by side tells two maps apart, and so do planes."
#: What is seen of a mode where one looks through the volume.
_IN_3D = {
    _ALONE: "In 3D outlines and blink cannot be seen: choose them in planes.",
    "overlay": f"In 3D colors mix along the line of sight. {_BESIDE}",
    "outlines": "In 3D outlines cannot be seen: bodies hide the first map. Planes "
    "show lines.",
    "blink": "In 3D each map is seen with the colors of its clusters.",
    "swipe": "In 3D the maps are cut, and the line is not drawn.",
}
#: Surfaces stand for the maps there.
_BLINK_IN_BRAIN = "In 3D the brain keeps all maps in sight: blink in planes."
#: Numbers wait until a slider rests so long, in ms.
_WAIT = 150
_BLINK = 800
_NEXT = "Ctrl+Alt+X"


class CompareWidget(Container):
    """Compare maps of the viewer.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer whose maps are compared, and that shows them together.
    opener : ResultOpener, optional
        Of the panel that this is a part of.
    """

    def __init__(
        self, napari_viewer: Viewer, opener: ResultOpener | None = None
    ) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        self._opener = opener
        self._together = JointDisplay(napari_viewer)
        self._watched: list[Any] = []
        self._heard: list[Layer] = []
        #: Whether maps are being found and shown, found, or counted.
        self._choosing = self._finding = self._counting = False
        #: Whether others were checked meanwhile, and whether layers came or went.
        self._chosen_anew = self._missed = False
        self.comparison: Comparison | None = None
        self.matrix: Matrix | None = None
        self._make()
        self._connect()
        self._refresh()
        self._choose()

    def _make(self) -> None:
        self.maps = MapChecklist(self._viewer, self.native)
        self.partners = PartnerButton(self._viewer, self.maps, self.native)
        self.others = OtherResultField(
            self._viewer, lambda: self.partners.base, self.native, self._opener
        )
        self.thresholds = ComboBox(
            label="Thresholds",
            choices=[_OWN, _SAME],
            tooltip="Each map at its own threshold, or all at that of the first",
        )
        self.mode = ComboBox(
            label="Seen",
            choices=list(_VIEWS),
            tooltip="How the maps are shown together",
        )
        narrow(self.thresholds, self.mode)
        self.thresholds.native.setAccessibleName("Thresholds")
        self.mode.native.setAccessibleName("Seen together or as they are")
        self.line = FloatSlider(min=0, max=1, value=0.5, step=0.01, tracking=True)
        self.line.native.setAccessibleName("Line between the maps")
        self.line.tooltip = "The first map left of the line, the second right of it"
        self.by_itself = CheckBox(
            text="by itself", tooltip="Blink without a key or click"
        )
        self.next = PushButton(text="Next map", tooltip=f"Show the next map ({_NEXT})")
        self.agreement = PushButton(
            text="Agreement",
            tooltip="A layer that shows where one map has clusters, and where both",
        )
        self.conjunction = PushButton(text="Conjunction")
        self.difference = PushButton(text="Difference")
        self.save = PushButton(
            text="Save...", tooltip="Save tables and volumes into a new folder"
        )
        self.figure = FigureButton(
            lambda: comparison_figures(self.comparison, self.matrix)
        )
        self.in_3d = wrapped_text()
        self.sentence = wrapped_text()
        self.numbers = ComparisonNumbers(self.native)
        choices = Container(widgets=[self.thresholds, self.mode])
        choices.margins = (0, 0, 0, 0)
        align_labels(choices)
        self.extend(
            [
                choices,
                row(self.line, self.by_itself, self.next),
                self.in_3d,
                self.sentence,
                row(self.agreement, self.conjunction, self.difference),
                row(self.save, self.figure),
            ]
        )
        layout = self.native.layout()
        for place, widget in enumerate((self.partners, self.maps, self.others)):
            layout.insertWidget(place, widget)
        layout.addWidget(self.numbers, 1)

    def _connect(self) -> None:
        self._counts = self._timer(_WAIT, self._compare, single=True)
        self._blinks = self._timer(_BLINK, self._show_next, single=False)
        self._leaves = self._timer(0, self._leave, single=True)
        self._later = self._timer(0, self._refresh, single=True)
        self.maps.changed.connect(self._choose)
        self.partners.chosen.connect(self.others.bring)
        self.partners.elsewhere.connect(self.others.ask)
        self.others.arrived.connect(self._compare_two)
        self.thresholds.changed.connect(self._choose)
        self.mode.changed.connect(self._show)
        self.line.changed.connect(self._together.swipe_to)
        self.by_itself.changed.connect(self._run)
        self.next.changed.connect(self._show_next)
        self.agreement.changed.connect(self._add_agreement)
        self.conjunction.changed.connect(self._add_conjunction)
        self.difference.changed.connect(self._add_difference)
        self.save.changed.connect(self._save)
        shortcut = QShortcut(QKeySequence(_NEXT), self.native)
        shortcut.activated.connect(self._show_next)
        # Bound methods are held weakly by napari: closing the widget ends them.
        layers = self._viewer.layers
        layers.events.inserted.connect(self._refresh)
        layers.events.removed.connect(self._refresh_later)
        layers.selection.events.active.connect(self._describe)
        self._viewer.dims.events.ndisplay.connect(self._say_what_3d_hides)
        # A look that needs this widget goes with it.
        self.native.destroyed.connect(self._together.let_go)

    def _timer(self, wait: int, act: Any, *, single: bool) -> QTimer:
        timer = QTimer(self.native)
        timer.setSingleShot(single)
        timer.setInterval(wait)
        timer.timeout.connect(act)
        return timer

    # --- which maps -------------------------------------------------------------------

    def _refresh(self, event: object = None) -> None:
        """Follow the layers of the viewer."""
        if self._is_changing():
            return
        before = self.maps.checked
        self._list_maps()
        self.partners.describe()
        # A map whose layer was deleted is not wanted any more.
        there = [map_of(layer) for layer in self.maps.layers]
        if there != before:
            self.maps.check_quietly([one for one in there if one is not None])
            self._choose()

    def _refresh_later(self, event: object = None) -> None:
        """Follow when all is gone: napari may be in the middle of removing several."""
        if not self._is_changing():
            self._later.start()

    def _is_changing(self) -> bool:
        """Whether layers come and go because of this panel; notice when others do."""
        self._missed = self._missed or self._finding
        return self._choosing or self._together.is_busy

    def _list_maps(self) -> None:
        """List all maps that can be compared."""
        self.maps.list_maps(
            [
                statmap
                for results in result_sets(self._viewer.layers)
                for statmap in results.maps.values()
                if statmap.at_hand and statmap.kind.row.criteria
            ]
        )
        self.maps.color(self._together.hues)

    def _describe(self, event: object = None) -> None:
        self.partners.describe()

    def _compare_two(self, base: StatMap, partner: StatMap) -> None:
        """Compare a map with a partner, and nothing else."""
        self._refresh()
        self.maps.check_in_order([base, partner])

    def _choose(self, event: object = None) -> None:
        """Threshold what was checked, see it as before, and count anew."""
        if self._choosing:
            # While maps were found, others were checked.
            self._chosen_anew = True
            return
        told: list[str] = []
        self._choosing, self._chosen_anew = True, False
        try:
            found = self._find()
            told = found.told
            active = self._viewer.layers.selection.active
            # What was made for the comparison is not what the user works with, and
            # nobody hears of it as such meanwhile.
            with at_once(self._viewer):
                show_compared(self._viewer, found, self.maps.checked)
                if active is not None and active in self._viewer.layers:
                    self._viewer.layers.selection.active = active
        except ResultsError as error:
            told = [str(error)]
        finally:
            self._choosing = False
        if is_closed(self._viewer):
            # What would be told, and where, went with the window.
            return
        if self._chosen_anew:
            self._choose()
            return
        self.partners.describe()
        chosen: list[Image] = self.maps.layers
        self._watch(chosen)
        self._show()
        self._compare()
        if told:
            self.sentence.value = "\n".join([*told, self.sentence.value])

    def _find(self) -> FoundMaps:
        """Find what the checked maps lack, while the window answers."""
        shown: dict[StatMap, ClusterSet | None] = {}
        pictured = []
        for statmap in self.maps.checked:
            layer = cluster_layer(self._viewer, statmap)
            shown[statmap] = clusters_of(layer) if layer is not None else None
            if layer_of(self._viewer, statmap) is not None:
                pictured.append(statmap)
        alike = self.thresholds.value == _SAME
        whole = len(pictured) == len(shown) and None not in shown.values()
        if whole and not alike:
            return FoundMaps()
        atlas = chosen_atlas(self._viewer)
        self._finding, self._missed = True, False
        try:
            return wait_for(
                lambda job: find_compared(shown, pictured, atlas, job, alike=alike),
                "Finding clusters",
                self._viewer,
            )
        finally:
            self._finding = False
            if self._missed and not is_closed(self._viewer):
                self._leave_out_gone(pictured)

    def _leave_out_gone(self, pictured: list[StatMap]) -> None:
        """Follow layers that came or went meanwhile: what is gone is not wanted."""
        before = self.maps.checked
        self._list_maps()
        gone = [one for one in pictured if layer_of(self._viewer, one) is None]
        left = [one for one in self.maps.checked if one not in gone]
        if left != before:
            self.maps.check_quietly(left)
            self._chosen_anew = True

    def _watch(self, chosen: list[Image]) -> None:
        """Count anew when the clusters of a chosen map change."""
        for layer in self._watched:
            layer.events.features.disconnect(self._count_soon)
        found = [self._cluster_layer(layer) for layer in chosen]
        self._watched = [layer for layer in found if layer is not None]
        for layer in self._watched:
            layer.events.features.connect(self._count_soon)

    def _cluster_layer(self, layer: Image) -> Any:
        statmap = map_of(layer)
        return cluster_layer(self._viewer, statmap) if statmap is not None else None

    def _count_soon(self, event: object = None) -> None:
        self._counts.start()

    # --- what a workspace keeps -------------------------------------------------------

    @property
    def together(self) -> str:
        """How the maps are seen together; empty where each is seen as it is."""
        return "" if self.mode.value == _ALONE else str(self.mode.value)

    def compare(self, maps: list[StatMap], together: str) -> None:
        """Compare maps in an order, and see them together; ``""`` for as they are."""
        listed = self.maps.listed
        # What stays in a list keeps its place there.
        self.maps.clear()
        self.maps.list_maps([*maps, *(one for one in listed if one not in maps)])
        self.maps.check(maps)
        known = together in self.mode.choices
        self.mode.value = together if known else _ALONE

    @contextmanager
    def seen_alone(self) -> Iterator[None]:
        """Let each map be seen as it is for a while."""
        together = self.mode.value
        self.mode.value = _ALONE
        try:
            yield
        finally:
            self.mode.value = together

    # --- together ---------------------------------------------------------------------

    def _show(self, event: object = None) -> None:
        chosen, view = self.maps.layers, self.mode.value
        if view == _ALONE or len(chosen) < 2:
            self._together.stop()
        else:
            is_new = self._together.mode != view
            if is_new and view in ("side by side", "swipe"):
                # Three planes know neither cells nor sides.
                uncover_canvas(self._viewer)
            if is_new and view == "swipe":
                # The name of the right map stands where napari tells things.
                close_notifications(self._viewer)
            self._together.show(view, chosen)
        self._listen()
        self.maps.color(self._together.hues)
        self.line.visible = view == "swipe"
        self.by_itself.visible = self.next.visible = view == "blink"
        self._say_what_3d_hides()
        self._run()

    def _say_what_3d_hides(self, event: object = None) -> None:
        is_3d = self._viewer.dims.ndisplay > 2
        told = _IN_3D.get(self._together.mode or _ALONE, "") if is_3d else ""
        if is_3d and self._together.mode == "blink" and brain_of(self._viewer):
            told = _BLINK_IN_BRAIN
        self.in_3d.value = told
        self.in_3d.visible = bool(told)

    def _listen(self) -> None:
        """Hear of each map that is shown while some are seen together."""
        for layer in self._heard:
            layer.events.visible.disconnect(self._notice)
        self._heard = []
        if self._together.mode is not None:
            self._heard = [
                layer for layer in self._viewer.layers if map_of(layer) is not None
            ]
        for layer in self._heard:
            layer.events.visible.connect(self._notice)

    def _notice(self, event: Any) -> None:
        """Hear that a map is shown or hidden: a user may choose one that is hidden."""
        if self._together.hides(event.source):
            self._leaves.start()

    def _leave(self) -> None:
        """See maps alone again: somebody wants to see another one."""
        self.mode.value = _ALONE

    def _run(self, event: object = None) -> None:
        if self.mode.value == "blink" and self.by_itself.value:
            self._blinks.start()
        else:
            self._blinks.stop()

    def _show_next(self, event: object = None) -> None:
        self._together.next()

    # --- numbers ----------------------------------------------------------------------

    def _compare(self) -> None:
        """Count what the maps have in common."""
        if self._counting:
            self._counts.start()
            return
        self.comparison = self.matrix = None
        self._counting = True
        try:
            clusters = [clusters_for(self._viewer, one) for one in self.maps.layers]
            if len(clusters) > 1:
                self.comparison, self.matrix = wait_for(
                    partial(_count, clusters), "Comparing", self._viewer
                )
            told = self._told(clusters)
        except ResultsError as error:
            told = str(error)
        finally:
            self._counting = False
        if is_closed(self._viewer):
            return
        self.sentence.value = told
        self.numbers.show_comparison(self.comparison, self.matrix)
        known = self.comparison
        for widget in (self.agreement, self.save, self.figure):
            widget.enabled = known is not None
        self._offer(self.conjunction, known and known.conjunction, known, "conjunction")
        self._offer(self.difference, known and known.difference, known, "difference")

    def _told(self, clusters: list[ClusterSet]) -> str:
        if self.comparison is None:
            return _FEW
        more = len(clusters) - 2
        rest = (
            f"\nThe first two of {len(clusters)} maps; all are in the matrix."
            if more
            else ""
        )
        lines = [f"{self.comparison}", self.comparison.shared_studies]
        return "\n".join(filter(None, lines)) + rest

    def _offer(self, button: PushButton, there: Any, known: Any, what: str) -> None:
        button.enabled = bool(there)
        why = getattr(known, f"no_{what}", "") if known is not None else ""
        told = [f"A new layer: the {what} of the first two maps"]
        if known is not None and known.shared_studies:
            told.append(known.shared_studies)
        button.tooltip = for_qt(why or "\n".join(told))

    def _add_agreement(self, event: object = None) -> None:
        if self.comparison is not None:
            show_agreement(self._viewer, self.comparison)

    def _add_conjunction(self, event: object = None) -> None:
        if self.comparison is not None and self.comparison.conjunction is not None:
            show_map(self._viewer, self.comparison.conjunction)

    def _add_difference(self, event: object = None) -> None:
        if self.comparison is not None and self.comparison.difference is not None:
            show_map(self._viewer, self.comparison.difference)

    def _save(self, event: object = None) -> None:
        known = self.matrix or self.comparison
        if known is None:
            return

        def save(path: str, *, overwrite: bool) -> None:
            save_comparison(known, path)

        title = "Save into a new folder"
        save_so = beside_window(save)
        ask_and_save(self.native, title, "comparison", NEW_FOLDER, save_so)


def _count(clusters: list[ClusterSet], job: Job) -> tuple[Comparison, Matrix | None]:
    """Compare the first two of some maps, and where there are more, all of them."""
    maps = [one.statmap for one in clusters]
    several = are_several({statmap.results for statmap in maps})
    # As the list above and the canvas call them.
    names = [name_of_map(statmap, of_several=several) for statmap in maps]
    comparison = compare(clusters[0], clusters[1], names=(names[0], names[1]))
    job.check()
    return comparison, compare_all(clusters, names) if len(clusters) > 2 else None
