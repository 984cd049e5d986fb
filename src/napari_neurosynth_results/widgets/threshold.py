"""The threshold widget: one slider, and at once the clusters that survive it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatSpinBox,
    Label,
    LineEdit,
    PushButton,
    Slider,
    SpinBox,
)
from qtpy.QtCore import Qt, QTimer

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.cluster_table import voxel_mm3
from napari_neurosynth_results.statistics.clusters import ClusterSet, clusters_at
from napari_neurosynth_results.statistics.conversion import short_p
from napari_neurosynth_results.statistics.criteria import (
    Preset,
    Scale,
    presets_of,
    refusals,
    scale_of,
    tails_of,
)
from napari_neurosynth_results.statistics.directions import Direction
from napari_neurosynth_results.statistics.thresholding import (
    CRITERIA,
    Criterion,
    Threshold,
)
from napari_neurosynth_results.viewer.choices import (
    first_threshold,
    remember_choices,
    shows_faintly,
)
from napari_neurosynth_results.viewer.clusters import (
    cluster_layer,
    clusters_of,
    describe_clusters,
    map_layers,
    show_clusters,
)
from napari_neurosynth_results.viewer.history import remember, tried_on
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.widgets.pieces import row, wrapped_text

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

_STEPS = 1000
#: A threshold counts as tried when it is kept for so long, in ms.
_SETTLED = 600
#: Software graphics need up to a second for a volume: there the slider waits, in ms.
_WAIT_IN_3D = 150
_NO_MAP = (
    "No map is open. Drop a NiMARE folder or a NIfTI map on the canvas, or use "
    "File > Open Sample."
)
_CRITERIA: dict[Criterion, str] = {
    "value": "value",
    "p": "p",
    "q": "FDR q",
    "bonferroni": "Bonferroni p",
}
_TAILS: dict[Direction, str] = {
    "both": "both",
    "positive": "positive only",
    "negative": "negative only",
}
_CONNECTIVITY = {
    "faces 6 (nilearn, NiMARE)": 6,
    "edges 18 (SPM)": 18,
    "corners 26 (FSL)": 26,
}
_NO_PRESET = "Choose ..."
_LOCKED = "Height and extent were chosen when the clusters were formed"
_EXTENT = (
    "Smaller clusters get no outline and no row in the table; colors are cut by value "
    "alone"
)


class ThresholdWidget(Container):  # type: ignore[misc]
    """Threshold a map by what its numbers mean, and see its clusters at once.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer whose maps are thresholded.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        self._filling = False
        self._strict = False
        self._offers = _Offers()
        self._scale = Scale(1, 2, False)
        self._extent_in_mm3 = False
        self._make_form()
        self._applies = self._timer(0, self._apply)
        self._settles = self._timer(_SETTLED, self._settled)
        self._connect()
        self._show_map()

    # --- the form ---------------------------------------------------------------------

    def _make_form(self) -> None:
        self.map = ComboBox(label="Map", choices=self._map_choices)
        self.about = wrapped_text()
        self.about.label = "Kind"
        self.preset = ComboBox(label="Preset", choices=self._preset_choices)
        self.by = ComboBox(label="Threshold by", choices=self._criterion_choices)
        self.number = LineEdit(label="at")
        self.slider = Slider(label=" ", min=0, max=_STEPS, readout=False)
        self.slider.tooltip = "To the right it gets stricter"
        self.tail = ComboBox(label="Tail", choices=self._tail_choices)
        self.voxels = SpinBox(min=1, max=10**7, value=1)
        self.mm3 = FloatSpinBox(min=0, max=1e8, step=1)
        self.extent = row(
            self.voxels,
            Label(value="voxels"),
            self.mm3,
            Label(value="mm3"),
            label="Extent",
        )
        self.connectivity = ComboBox(
            label="Connected by",
            choices=list(_CONNECTIVITY.items()),
            tooltip="Which voxels touch, and so belong to one cluster",
        )
        self.faint = CheckBox(
            text="Show below threshold faintly", value=shows_faintly()
        )
        self.back = PushButton(text="◀ Back")
        self.forward = PushButton(text="Forward ▶")
        self.form = Container()
        self.form.extend(
            [
                *(self.map, self.about, self.preset, self.by, self.number, self.slider),
                *(self.tail, self.extent, self.connectivity, self.faint),
                row(self.back, self.forward, label="Tried"),
            ]
        )
        self.form.margins = (0, 0, 0, 0)
        self.sentence = wrapped_text()
        self.extend([self.form, self.sentence])

    def _timer(self, wait: int, act: Any) -> QTimer:
        timer = QTimer(self.native)
        timer.setSingleShot(True)
        timer.setInterval(wait)
        timer.timeout.connect(act)
        return timer

    def _connect(self) -> None:
        self.map.changed.connect(self._choose_map)
        self.preset.changed.connect(self._use_preset)
        self.by.changed.connect(self._change_criterion)
        self.slider.changed.connect(self._slide)
        self.number.native.editingFinished.connect(self._type)
        self.voxels.changed.connect(self._change_voxels)
        self.mm3.changed.connect(self._change_mm3)
        for widget in (self.tail, self.connectivity, self.faint):
            widget.changed.connect(self._change)
        self.back.changed.connect(self._go_back)
        self.forward.changed.connect(self._go_forward)
        # Bound methods are held weakly by napari: closing the widget ends them.
        layers = self._viewer.layers
        layers.events.inserted.connect(self._refresh)
        layers.events.removed.connect(self._refresh)

    # Asked by magicgui again whenever layers come and go.

    def _map_choices(self, widget: object = None) -> list[tuple[str, Image]]:
        return [(layer.name, layer) for layer in map_layers(self._viewer)]

    def _criterion_choices(self, widget: object = None) -> list[tuple[str, Criterion]]:
        return self._offers.criteria

    def _tail_choices(self, widget: object = None) -> list[tuple[str, Direction]]:
        return self._offers.tails

    def _preset_choices(self, widget: object = None) -> list[tuple[str, Any]]:
        return [(_NO_PRESET, None), *((p.name, p) for p in self._offers.presets)]

    def _refresh(self, event: object = None) -> None:
        """Follow the layers of the viewer; the map stays the same while it is there."""
        before = self.map.value
        with self.map.changed.blocked():
            self.map.reset_choices()
        if self.map.value is not before:
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
        """Bring the map to view that the user wants to threshold."""
        if layer is not None:
            layer.visible = True
            self._viewer.layers.selection.active = layer
        self._show_map()

    def _show_map(self, event: object = None) -> None:
        """Offer what makes sense for the map, at the threshold that it is shown at."""
        statmap = self.statmap
        self.form.enabled = statmap is not None
        self._applies.stop()
        self._settles.stop()
        if statmap is None:
            self.about.value = ""
            self.sentence.value = _NO_MAP
            return
        self.about.value = about(statmap)
        try:
            self._offer(statmap)
            offered = [criterion for _, criterion in self._offers.criteria]
            shown = self.clusters
            self._fill(shown.asked if shown else first_threshold(statmap, offered))
        except ResultsError as error:
            self.sentence.value = str(error)
            return
        self._apply()
        self._settled()

    def _offer(self, statmap: StatMap) -> None:
        """List the criteria, tails and presets that mean something."""
        self._filling = True
        self._offers = offers = _offers(statmap)
        for widget in (self.by, self.tail, self.preset):
            widget.reset_choices()
        self.by.tooltip, self.tail.tooltip = offers.no_criteria, offers.no_tails
        for index, preset in enumerate(offers.presets, start=1):
            self.preset.native.setItemData(
                index, preset.about, Qt.ItemDataRole.ToolTipRole
            )
        locked = statmap.level == "cluster"
        self.extent.enabled = not locked
        self.extent.tooltip = _LOCKED if locked else _EXTENT
        self.mm3.step = voxel_mm3(statmap)
        self._filling = False

    def _fill(self, threshold: Threshold) -> None:
        """Show a threshold in the form."""
        statmap = self.statmap
        assert statmap is not None
        self._filling = True
        self.by.value = threshold.criterion
        self._scale = scale_of(statmap, threshold.criterion)
        self._write_number(threshold.number)
        tail = threshold.tail
        if tail == "auto":
            # Both first, where both were tested.
            tail = self._offers.tails[0][1]
        self.tail.value = tail
        self._extent_in_mm3 = threshold.min_mm3 is not None
        size = voxel_mm3(statmap)
        voxels = threshold.voxels_at_least(size)
        self.voxels.value = voxels
        self.mm3.value = threshold.min_mm3 or voxels * size
        self.connectivity.value = threshold.connectivity
        self._strict = threshold.strict
        self._filling = False

    def _write_number(self, number: float) -> None:
        self.number.value = (
            f"{number:.4g}" if self.by.value == "value" else short_p(number)
        )
        self.slider.value = round(self._scale.position_of(number) * _STEPS)

    # --- changes ----------------------------------------------------------------------

    def _slide(self, position: int) -> None:
        if self._filling:
            return
        self._filling = True
        self._strict = False
        number = self._scale.number_at(position / _STEPS)
        self.number.value = (
            f"{number:.4g}" if self.by.value == "value" else short_p(number)
        )
        self._filling = False
        self._change()

    def _type(self) -> None:
        if self._filling or self.statmap is None:
            return
        try:
            number = self.asked().number
        except ResultsError:
            # Applying says what is wrong with it.
            self._change()
            return
        if number > 0:
            self._filling = True
            self.slider.value = round(self._scale.position_of(number) * _STEPS)
            self._filling = False
        self._change()

    def _number(self) -> float:
        text = self.number.value.strip().replace(",", ".")
        try:
            return float(text)
        except ValueError:
            raise ResultsError(
                f"{text!r} is no number. Write it as .001, 0.001 or 1e-3."
            ) from None

    def _change_criterion(self, criterion: Criterion) -> None:
        """Keep the threshold where it is, in the unit that was chosen."""
        statmap, clusters = self.statmap, self.clusters
        if self._filling or statmap is None:
            return
        self._filling = True
        self._scale = scale_of(statmap, criterion)
        applied = clusters.threshold if clusters is not None else None
        number = {
            "value": getattr(applied, "height", float("nan")),
            "p": getattr(applied, "p", float("nan")),
        }.get(criterion, 0.05)
        if not number > 0:
            number = 0.05 if criterion != "value" else self._scale.number_at(0.5)
        self._write_number(number)
        self._filling = False
        self._change()

    def _change_voxels(self, voxels: int) -> None:
        if self._filling or (statmap := self.statmap) is None:
            return
        self._filling = True
        self._extent_in_mm3 = False
        self.mm3.value = voxels * voxel_mm3(statmap)
        self._filling = False
        self._change()

    def _change_mm3(self, mm3: float) -> None:
        if self._filling or (statmap := self.statmap) is None:
            return
        self._filling = True
        self._extent_in_mm3 = mm3 > 0
        asked = Threshold(p=0.5, min_mm3=mm3 if mm3 > 0 else None)
        self.voxels.value = asked.voxels_at_least(voxel_mm3(statmap))
        self._filling = False
        self._change()

    def _use_preset(self, preset: Preset | None) -> None:
        if self._filling or preset is None:
            return
        self._fill(preset.threshold)
        self._change()

    def _change(self, event: object = None) -> None:
        """Ask for one update, however many changes wait for it."""
        if self._filling or self.statmap is None:
            return
        self._settles.start()
        in_3d = self._viewer.dims.ndisplay == 3
        self._applies.setInterval(_WAIT_IN_3D if in_3d else 0)
        if in_3d or not self._applies.isActive():
            self._applies.start()

    # --- the answer -------------------------------------------------------------------

    def asked(self) -> Threshold:
        """Read the form.

        Raises
        ------
        ResultsError
            When it does not hold a threshold; the text says why.
        """
        locked = self.statmap is not None and self.statmap.level == "cluster"
        threshold = Threshold.by(
            self.by.value,
            self._number(),
            tail=self.tail.value,
            connectivity=self.connectivity.value,
            strict=self._strict and self.by.value == "value",
        )
        if locked:
            return threshold
        if self._extent_in_mm3:
            return replace(threshold, min_mm3=self.mm3.value)
        return replace(threshold, min_voxels=self.voxels.value)

    def _apply(self) -> None:
        """Show what the form asks for; say why not where that means nothing."""
        statmap = self.statmap
        if statmap is None:
            return
        try:
            clusters = clusters_at(statmap, self.asked())
            show_clusters(
                self._viewer,
                self.map.value,
                clusters,
                faint=self.faint.value,
                describe=False,
            )
        except ResultsError as error:
            self.sentence.value = f"Not applied. {error}"
            return
        self.sentence.value = str(clusters)

    def _settled(self) -> None:
        """Count a threshold as tried once the user rests."""
        if (clusters := self.clusters) is None:
            return
        layer = self.map.value
        if (shown := cluster_layer(self._viewer, clusters.statmap)) is not None:
            describe_clusters(shown)
        remember(layer, tried_on(layer).tried(clusters.asked))
        remember_choices(clusters.statmap, clusters.asked, self.faint.value)
        self._show_tried()

    def _go_back(self) -> None:
        self._go(-1)

    def _go_forward(self) -> None:
        self._go(1)

    def _go(self, way: int) -> None:
        layer = self.map.value
        if layer is None:
            return
        if self._settles.isActive():
            self._settles.stop()
            self._settled()
        tried = tried_on(layer)
        tried = tried.back() if way < 0 else tried.forward()
        if tried.shown is None:
            return
        remember(layer, tried)
        self._fill(tried.shown)
        self._apply()
        self._show_tried()

    def _show_tried(self) -> None:
        tried = tried_on(self.map.value)
        self.back.enabled = tried.can_go_back
        self.forward.enabled = tried.can_go_forward


@dataclass(frozen=True)
class _Offers:
    """What the lists of the form hold for a map."""

    criteria: list[tuple[str, Criterion]] = field(default_factory=list)
    tails: list[tuple[str, Direction]] = field(default_factory=list)
    presets: list[Preset] = field(default_factory=list)
    no_criteria: str = ""
    no_tails: str = ""


def _offers(statmap: StatMap) -> _Offers:
    refused, tails = refusals(statmap), tails_of(statmap)
    return _Offers(
        criteria=[(_word(statmap, c), c) for c in CRITERIA if refused[c] is None],
        tails=[(word, tail) for tail, word in _TAILS.items() if tails[tail] is None],
        presets=presets_of(statmap),
        no_criteria="\n".join(
            f"No {_CRITERIA[c]}: {why}" for c, why in refused.items() if why
        ),
        no_tails="\n".join({why for why in tails.values() if why}),
    )


def _word(statmap: StatMap, criterion: Criterion) -> str:
    """Name a criterion by what it means for the map."""
    if criterion == "value":
        return f"value ({statmap.kind})"
    if criterion == "p" and statmap.correction:
        of = "q" if statmap.correction == "FDR" else f"p_{statmap.correction}"
        return f"{of} of a cluster" if statmap.level == "cluster" else of
    return _CRITERIA[criterion]


def about(statmap: StatMap) -> str:
    """State kind, tail and correction of a map, and what its numbers are."""
    level = f"{statmap.level}-level " if statmap.level else ""
    correction = f"{level}{statmap.correction}-corrected"
    if not statmap.correction:
        correction = "uncorrected" if statmap.name else "correction unknown"
    tail = str(statmap.tail) if statmap.kind.has_tail else ""
    facts = ", ".join(filter(None, (str(statmap.kind), tail, correction)))
    if statmap.level == "cluster":
        return f"{facts}: each cluster carries one value, its own p"
    return f"{facts}: {statmap.kind.meaning}"
