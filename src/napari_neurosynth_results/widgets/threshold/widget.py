"""The threshold widget: one slider, and at once the clusters that survive it."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, PushButton
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QSizePolicy

from napari_neurosynth_results.api.map_requests import requested_clusters
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.thresholds.apply import (
    ThresholdResult,
    describe_map,
)
from napari_neurosynth_results.statistics.thresholds.first_look import (
    choose_first_threshold,
)
from napari_neurosynth_results.statistics.thresholds.masks import Masking
from napari_neurosynth_results.statistics.thresholds.request import ThresholdRequest
from napari_neurosynth_results.statistics.thresholds.threshold import Criterion
from napari_neurosynth_results.statistics.thresholds.what_can_be_asked import (
    choose_scale,
)
from napari_neurosynth_results.viewer.clusters.atlas_choice import chosen_atlas
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
    describe_clusters,
    faint_layer,
    map_layers,
    name_by,
    show_clusters,
)
from napari_neurosynth_results.viewer.clusters.defaults import (
    first_threshold,
    remember_choices,
    remembered_part,
    shows_faintly,
)
from napari_neurosynth_results.viewer.clusters.history import remember, tried_on
from napari_neurosynth_results.viewer.clusters.mask_choice import (
    MaskChoice,
    ViewerRequest,
)
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.napari_private import unproxied
from napari_neurosynth_results.viewer.shown_maps import (
    LayerWatch,
    current_layer,
    show_alone,
)
from napari_neurosynth_results.widgets.common.background_job import let_stand_alone
from napari_neurosynth_results.widgets.common.layout import (
    name_controls,
    narrow,
    row,
    wrapped_text,
)
from napari_neurosynth_results.widgets.threshold.form import ThresholdForm
from napari_neurosynth_results.widgets.threshold.mask_fields import MaskFields

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

#: A threshold counts as tried when it is kept for so long, in ms.
_SETTLED = 600
#: Software graphics need up to a second for a volume: there the slider waits, in ms.
_WAIT_IN_3D = 150
_FIXED = QSizePolicy.Policy.Fixed
#: Pixels between the last field and the table below.
_ABOVE_TABLE = 6
_NO_MAP = (
    "No map is open. Drop a NiMARE folder or a NIfTI map on the canvas, or use "
    "File > Open Sample."
)


class ThresholdWidget(Container):
    """Threshold a map by what its numbers mean, and see its clusters at once.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer whose maps are thresholded.
    is_part : bool
        Whether a panel around it says what was found, and lets it scroll.
    """

    def __init__(self, napari_viewer: Viewer, *, is_part: bool = False) -> None:
        super().__init__(labels=False)
        # Not the stand-in that widgets are given: each of its answers takes longer.
        self._viewer = unproxied(napari_viewer)
        #: The mask of a place on a map, made once for many thresholds.
        self._mask: tuple[tuple[MaskChoice, str], Masking] | None = None
        #: What the clusters that are shown were asked with.
        self._answered: ViewerRequest | None = None
        #: The layer whose map is in the form.
        self._layer: Image | None = None
        #: Whether a panel around it says what was found.
        self._is_part = False
        #: Asked for when the user rests: it takes a part of a slider's step.
        self._atlas = chosen_atlas(napari_viewer)
        self._make()
        self._applies = self._timer(0, self._apply)
        self._settles = self._timer(_SETTLED, self._settled)
        self._connect()
        self._show_map()
        if is_part:
            self._become_part()
        else:
            # Lines of text would share the room that is left among them.
            self.native.layout().addStretch(1)
            let_stand_alone(self)
        name_controls(self.native)

    def _make(self) -> None:
        self.map = ComboBox(label="Map", choices=self._map_choices)
        self.about = wrapped_text()
        self.about.label = "Kind"
        self.form = ThresholdForm()
        self.form.faint.value = shows_faintly()
        self.form.translate = self._translate
        self.where = MaskFields(self._viewer)
        self.back = PushButton(
            text="◀ Earlier", tooltip="The threshold that you tried before this"
        )
        self.forward = PushButton(
            text="Later ▶", tooltip="The threshold that you tried after this"
        )
        self.remembered = wrapped_text()
        self.own = PushButton(
            text="The map's own", tooltip="The threshold of a first session"
        )
        self.last = row(self.remembered, self.own)
        # The text needs the room, in one line where it can be.
        self.own.native.setSizePolicy(_FIXED, _FIXED)
        self.last.visible = False
        self.sentence = wrapped_text()
        self.form.rest.insert(0, self.about)
        self.form.rest.extend(
            [
                *self.where.widgets,
                row(self.back, self.forward, label="Threshold"),
            ]
        )
        self.map.native.setAccessibleName("Map")
        narrow(self.map)
        self.extend([self.map, self.form, self.last, self.sentence])

    def _become_part(self) -> None:
        """Leave to a panel around this one what it says already."""
        self.map.visible = False
        self._is_part = True
        self.margins = (0, 2, 0, _ABOVE_TABLE)
        self._say(self.sentence.value)

    def _say(self, text: str) -> None:
        """Say what was found, or why a threshold was not applied.

        A part of a panel says only what the panel does not: reasons and cautions.
        """
        if self._is_part:
            if (clusters := self.clusters) is not None:
                text = text.removeprefix(str(clusters)).lstrip("\n")
            elif self.statmap is None:
                # The panel says what is open, or being opened.
                text = ""
            self.sentence.visible = bool(text)
        self.sentence.value = text

    def _timer(self, wait: int, act: Any) -> QTimer:
        timer = QTimer(self.native)
        timer.setSingleShot(True)
        timer.setInterval(wait)
        timer.timeout.connect(act)
        return timer

    def _connect(self) -> None:
        self.map.changed.connect(self._choose_map)
        self.form.threshold_changed.connect(self._change)
        self.form.dof_changed.connect(self._reconsider)
        self.where.changed.connect(self._reconsider)
        self.own.changed.connect(self._take_own)
        self.back.changed.connect(self._go_back)
        self.forward.changed.connect(self._go_forward)
        self._watch = LayerWatch(self._viewer, self._refresh, self._follow)

    def _map_choices(self, widget: object = None) -> list[tuple[str, Image]]:
        return [(layer.name, layer) for layer in map_layers(self._viewer)]

    def _refresh(self, event: object = None) -> None:
        """Follow the layers of the viewer; the map stays the same while it is there."""
        with self.map.changed.blocked():
            self.map.reset_choices()
        # napari may have asked for other choices before.
        if self.map.value is not self._layer:
            self._show_map()
        else:
            self.where.refresh()
            self._say_what_is_faint()
        self._follow()

    def _follow(self, event: object = None) -> None:
        """Show the map that the user works with."""
        layer = current_layer(self._viewer)
        if layer is self.map.value or layer not in self.map.choices:
            return
        with self.map.changed.blocked():
            self.map.value = layer
        self._show_map()

    # --- a map ------------------------------------------------------------------------

    @property
    def statmap(self) -> StatMap | None:
        """The chosen map."""
        return map_of(self.map.value) if self.map.value is not None else None

    @property
    def clusters(self) -> ClusterSet | None:
        """What is shown of it."""
        if (statmap := self.statmap) is None:
            return None
        layer = cluster_layer(self._viewer, statmap)
        return clusters_of(layer) if layer is not None else None

    def _choose_map(self, layer: Image | None) -> None:
        """Show the map alone that the user wants to threshold."""
        statmap = map_of(layer) if layer is not None else None
        if statmap is not None and layer is not None:
            seen = layer.visible and layer is current_layer(self._viewer)
            if not seen:
                show_alone(self._viewer, statmap)
        self._show_map()

    def _show_map(self, event: object = None) -> None:
        """Offer what makes sense for the map, at the threshold that it is shown at."""
        self._layer, statmap = self.map.value, self.statmap
        self.form.enabled = statmap is not None
        self._applies.stop()
        self._settles.stop()
        self._answered = None
        if statmap is None:
            self.last.visible = False
            self.about.value = ""
            self._say(_NO_MAP)
            return
        self.about.value = describe_map(statmap)
        self._say_what_is_faint()
        try:
            self._fill(tried_on(self.map.value).shown)
        except ResultsError as error:
            self._say(str(error))
            return
        if self._is_shown():
            self._answered = self.request()
            self._say(_in_words(self.clusters))
        else:
            self._apply()
        self._settled()

    def _is_shown(self) -> bool:
        """Whether the clusters that are shown are what the form asks for."""
        clusters, statmap = self.clusters, self.statmap
        if clusters is None or statmap is None:
            return False
        request = self.request()
        if request.place is not None or request.dof != clusters.evidence.dof:
            return False
        auto = clusters.asked.tail == "auto"
        asked = replace(
            clusters.asked, tail=request.threshold.tail if auto else clusters.asked.tail
        )
        masked = clusters.threshold.masking is not None
        return not masked and asked == request.threshold

    def _fill(self, request: ViewerRequest | None) -> None:
        """Show a request in the form; without one, that of the clusters, or a new one.

        Raises
        ------
        ResultsError
            When the map cannot be read.
        """
        statmap = self.statmap
        assert statmap is not None
        where = request.place if request is not None else None
        self.where.fill(statmap, where)
        dof = request.dof if request is not None else None
        self.form.offer(statmap, self._masking(where, statmap), dof)
        shown = self.clusters
        if request is not None:
            self.form.fill(request.threshold)
        elif shown is not None:
            self.form.fill(shown.asked)
        else:
            self.form.fill(first_threshold(statmap, self.form.offered))

    def _say_what_is_faint(self, event: object = None) -> None:
        """Say what the layers show: undo, a workspace or an eye may have changed it."""
        # What was just ticked is not shown yet.
        if self.clusters is None or self._applies.isActive():
            return
        layer = self.map.value
        found = faint_layer(self._viewer, layer)
        if found is not None:
            # Once is enough: napari connects nothing twice.
            found.events.visible.connect(self._say_what_is_faint)
        seen = found is not None and (found.visible or not layer.visible)
        self.form.show_faint(seen)

    # --- changes ----------------------------------------------------------------------

    def _translate(self, criterion: Criterion) -> float:
        """Say what the threshold that is shown is by another criterion."""
        clusters, statmap = self.clusters, self.statmap
        assert statmap is not None
        applied = clusters.threshold if clusters is not None else None
        number = math.nan
        if isinstance(applied, ThresholdResult):
            number = {"value": applied.height, "p": applied.p}.get(criterion, math.nan)
        if number > 0:
            return number
        return (
            0.05
            if criterion != "value"
            else choose_scale(statmap, "value").number_at(0.5)
        )

    def _reconsider(self, event: object = None) -> None:
        """Offer what can be asked with another mask or other degrees of freedom."""
        statmap = self.statmap
        if statmap is None:
            return
        try:
            asked = self.form.threshold()
            dof = self.form.stated_dof()
            self.form.offer(statmap, self._masking(self.where.where, statmap), dof)
            if asked.criterion not in self.form.offered:
                asked = first_threshold(statmap, self.form.offered)
            self.form.fill(asked)
        except ResultsError as error:
            self._say(f"Not applied. {error}")
            return
        self._change()

    def _change(self) -> None:
        """Ask for one update, however many changes wait for it."""
        if self.statmap is None:
            return
        self._settles.start()
        in_3d = self._viewer.dims.ndisplay == 3
        self._applies.setInterval(_WAIT_IN_3D if in_3d else 0)
        if in_3d or not self._applies.isActive():
            self._applies.start()

    # --- the answer -------------------------------------------------------------------

    def request(self) -> ViewerRequest:
        """Read what is asked.

        Raises
        ------
        ResultsError
            When the form does not hold a threshold; the text says why.
        """
        return ThresholdRequest(
            self.form.threshold(), self.where.where, self.form.stated_dof()
        )

    def _masking(self, where: MaskChoice | None, statmap: StatMap) -> Masking | None:
        if where is None:
            return None
        key = (where, statmap.key)
        # What is painted in a layer of labels may have changed.
        lasting = isinstance(where.what, str | StatMap)
        if self._mask is None or self._mask[0] != key or not lasting:
            self._mask = key, where.masking(statmap)
        return self._mask[1]

    def _apply(self) -> None:
        """Show what is asked; say why not where that means nothing."""
        statmap = self.statmap
        if statmap is None:
            return
        try:
            request = self.request()
            masking = self._masking(request.place, statmap)
            clusters = requested_clusters(statmap, request, masking, atlas=self._atlas)
            faint = self.form.faint.value
            show_clusters(
                self._viewer, self.map.value, clusters, faint=faint, describe=False
            )
        except ResultsError as error:
            self._say(f"Not applied. {error}")
            return
        self._answered = request
        self._say(_in_words(clusters))

    def _settled(self) -> None:
        """Count a threshold as tried once the user rests."""
        statmap, layer = self.statmap, self.map.value
        if statmap is None or self._answered is None:
            return
        if (shown := cluster_layer(self._viewer, statmap)) is not None:
            describe_clusters(self._viewer, layer, shown)
        if (atlas := chosen_atlas(self._viewer)) is not self._atlas:
            self._atlas = atlas
            name_by(self._viewer, atlas)
        remember(layer, tried_on(layer).with_next(self._answered))
        remember_choices(statmap, self._answered.threshold, self.form.faint.value)
        self._show_tried()
        self._say_what_is_remembered()

    def _say_what_is_remembered(self) -> None:
        """Say what an earlier map or session left, until another one is tried."""
        told, statmap = "", self.statmap
        if statmap is not None and len(tried_on(self.map.value).requests) <= 1:
            # What cannot be read is told of elsewhere.
            with suppress(ResultsError):
                told = remembered_part(statmap, self.form.threshold())
        if told:
            self.remembered.value = f"{told}: your last choice."
            # From now on it keeps its room: what is below does not jump when it goes.
            policy = self.last.native.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            self.last.native.setSizePolicy(policy)
        self.last.visible = bool(told)

    def _take_own(self, event: object = None) -> None:
        """Go back to the threshold that the map itself gives reason for."""
        if (statmap := self.statmap) is not None:
            self.form.fill(self.form.with_confidence(choose_first_threshold(statmap)))
            self._change()

    def _go_back(self) -> None:
        self._go(-1)

    def _go_forward(self) -> None:
        self._go(1)

    def _go(self, way: int) -> None:
        layer, statmap = self.map.value, self.statmap
        if statmap is None:
            return
        if self._settles.isActive():
            self._settles.stop()
            self._applies.stop()
            self._apply()
            self._settled()
        tried = tried_on(layer)
        tried = tried.back() if way < 0 else tried.forward()
        if tried.shown is None:
            return
        remember(layer, tried)
        try:
            self._fill(tried.shown)
        except ResultsError as error:
            self._say(f"Not applied. {error}")
            return
        self._apply()
        if (shown := cluster_layer(self._viewer, statmap)) is not None:
            describe_clusters(self._viewer, layer, shown)
        self._show_tried()

    def _show_tried(self) -> None:
        tried = tried_on(self.map.value)
        ways = ((self.back, tried.can_go_back), (self.forward, tried.can_go_forward))
        # What can be pressed first: it takes the keyboard of the other one.
        for button, can_go in sorted(ways, key=lambda way: not way[1]):
            button.enabled = can_go


def _in_words(clusters: ClusterSet | None) -> str:
    """Say what was found, and what has to be said about it."""
    if clusters is None:
        return ""
    return "\n".join((str(clusters), *clusters.notices))
