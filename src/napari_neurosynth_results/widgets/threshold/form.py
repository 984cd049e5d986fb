"""The form of the threshold widget: what can be asked of a map, and what is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

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
from psygnal import Signal
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QSizePolicy,
    QSlider,
    QWidget,
)

from napari_neurosynth_results.anatomy.numerals import read_number
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.p_values.conversion import short_p
from napari_neurosynth_results.statistics.p_values.directions import Direction
from napari_neurosynth_results.statistics.p_values.significance import Evidence, PSource
from napari_neurosynth_results.statistics.thresholds.apply import p_word
from napari_neurosynth_results.statistics.thresholds.masks import Masking
from napari_neurosynth_results.statistics.thresholds.request import StatedDof
from napari_neurosynth_results.statistics.thresholds.threshold import (
    CRITERIA,
    Criterion,
    Threshold,
)
from napari_neurosynth_results.statistics.thresholds.what_can_be_asked import (
    Preset,
    SliderScale,
    choose_scale,
    find_directions,
    list_presets,
    refusals,
)
from napari_neurosynth_results.widgets.common.layout import (
    CalmNumber,
    align_labels,
    narrow,
    row,
)

_STEPS = 1000
_BOX, _NUMBER_BOX, _EXTENT_BOX, _SLIDER = 76, 66, 44, 20
_SPACING = 2
_NO_BUTTONS = QAbstractSpinBox.ButtonSymbols.NoButtons
#: Probabilities that papers use: the slider holds on to them, within so many steps.
_STOPS, _CATCH = (0.05, 0.01, 0.005, 0.001), 8
_TICK_HEIGHT = 4
_FIXED = QSizePolicy.Policy.Fixed
_CONNECTIVITY = {
    "faces 6 (nilearn, NiMARE)": 6,
    "edges 18 (SPM)": 18,
    "corners 26 (FSL)": 26,
}
_FDR = {"Benjamini-Hochberg": "BH", "Benjamini-Yekutieli (any dependence)": "BY"}
_DEPENDENCE = {"positive dependence (Simes)": "positive", "nothing": "any"}
_NO_PRESET = "Choose ..."
_LOCKED = "Height, extent and neighbors were chosen when the clusters were formed"
_NEIGHBORS = "Which voxels count as neighbors in one cluster"
_EXTENT = (
    "Smaller clusters are left out: they have no color, no outline and no row in the "
    "table"
)
_ALPHA = (
    "How sure the column TDP is: 1 - this, for all clusters and thresholds together. "
    "Choose it before you look"
)
_ASSUMES = (
    "What the column TDP takes for granted of neighboring voxels: that they go "
    "together, as in all smooth maps; or nothing, which proves less"
)
_DOF = "Degrees of freedom; two for F, as in 2, 30"
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


@dataclass(frozen=True)
class ThresholdChoices:
    """What can be asked of a map, and why not more: the lists of the form.

    Attributes
    ----------
    criteria, tails : list of tuple
        Text and meaning.
    presets : list of Preset
        Those that can be applied.
    no_criteria, no_tails : str
        The reasons for what is missing.
    """

    criteria: list[tuple[str, Criterion]] = field(default_factory=list)
    tails: list[tuple[str, Direction]] = field(default_factory=list)
    presets: list[Preset] = field(default_factory=list)
    no_criteria: str = ""
    no_tails: str = ""

    @classmethod
    def for_map(
        cls, statmap: StatMap, masking: Masking | None, evidence: Evidence
    ) -> ThresholdChoices:
        """Find out what can be asked of a map.

        Parameters
        ----------
        statmap : StatMap
            Its kind, tail and correction decide.
        masking : Masking or None
            Where clusters are looked for, None for everywhere.
        evidence : Evidence
            What p can be told by.
        """
        refused, tails = refusals(statmap, masking, evidence), find_directions(statmap)
        return cls(
            criteria=[(_word(statmap, c), c) for c in CRITERIA if refused[c] is None],
            tails=[
                (word, tail) for tail, word in _TAILS.items() if tails[tail] is None
            ],
            presets=list_presets(statmap, refused),
            no_criteria="\n".join(
                f"No {_CRITERIA[c]}: {why}" for c, why in refused.items() if why
            ),
            no_tails="\n".join({why for why in tails.values() if why}),
        )


class ThresholdForm(Container):
    """The fields that make a threshold.

    Attributes
    ----------
    threshold_changed : Signal
        The user changed the threshold.
    dof_changed : Signal
        The user changed the degrees of freedom: what can be asked may change.
    """

    threshold_changed = Signal()
    dof_changed = Signal()
    #: How the threshold that is shown reads by another criterion; set by the widget.
    translate: Callable[[Criterion], float]

    def __init__(self) -> None:
        super().__init__(labels=False)
        self.margins = (0, 0, 0, 0)
        self._statmap: StatMap | None = None
        self._evidence = Evidence()
        self._filling = False
        self._strict = False
        self._extent_in_mm3 = False
        self._needs_dof = False
        self._scale = SliderScale(1, 2, False)
        self._choices = ThresholdChoices()
        self._make()
        self._connect()

    def _make(self) -> None:
        self.by = ComboBox(label="Threshold by", choices=self._criterion_choices)
        self.number = LineEdit(label="at")
        self.slider = Slider(label=" ", min=0, max=_STEPS, readout=False)
        self.slider.tooltip = "To the right it gets stricter"
        self.ticks = _TickMarks(self.slider.native.findChild(QSlider))
        self.voxels = SpinBox(min=1, max=10**7, value=1)
        CalmNumber(self.voxels.native)
        self.extent = row(Label(value="k"), self.voxels, label="Extent")
        self.more = PushButton(text="more")
        self.more.native.setCheckable(True)
        self.more.tooltip = "Tail, connectivity, mask, presets, and what was tried"
        self.dof = LineEdit(label="Deg. of freedom", tooltip=_DOF)
        self.preset = ComboBox(label="Preset", choices=self._preset_choices)
        self.fdr = ComboBox(label="Method", choices=list(_FDR.items()))
        self.tail = ComboBox(label="Tail", choices=self._tail_choices)
        self.mm3 = FloatSpinBox(min=0, max=1e8, step=1)
        self.volume = row(self.mm3, Label(value="mm3 or more"), label="Volume")
        # The unit stands beside its number.
        self.volume.native.layout().addStretch()
        self.connectivity = ComboBox(
            label="Connected by",
            choices=list(_CONNECTIVITY.items()),
            tooltip=_NEIGHBORS,
        )
        self.alpha = LineEdit(label="TDP alpha", tooltip=_ALPHA)
        self.dependence = ComboBox(
            label="TDP assumes", choices=list(_DEPENDENCE.items()), tooltip=_ASSUMES
        )
        self.faint = CheckBox(text="Show below threshold faintly")
        narrow(self.preset, self.by, self.fdr, self.tail, self.connectivity)
        narrow(self.dependence)
        self._fit()
        self.line = row(self.by, self.number, self.slider, self.extent, self.more)
        #: What is not asked for each time; folded away at first.
        self.rest = Container(
            widgets=[
                *(self.preset, self.fdr, self.tail, self.volume),
                *(self.connectivity, self.alpha, self.dependence, self.faint),
            ]
        )
        self.rest.margins = (0, 0, 0, 0)
        self.rest.visible = False
        for one in (self.line, self.extent):
            one.native.layout().setSpacing(_SPACING)
        needed = Container(widgets=[self.dof])
        needed.margins = (0, 0, 0, 0)
        # Of a map that needs them, and there is none yet.
        self.dof.visible = False
        align_labels(self.rest, needed)
        self.extend([self.line, needed, self.rest])

    def _fit(self) -> None:
        """Let one line hold what is asked of every map."""
        # The own wish of boxes is room for the largest number that they take.
        # napari's style wants more than is needed, and comes after what is set here.
        width = f"min-width: {_EXTENT_BOX}px; max-width: {_EXTENT_BOX}px"
        self.voxels.native.setStyleSheet(f"{width}; padding: 1px 3px")
        for box in (self.voxels, self.mm3):
            box.native.setButtonSymbols(_NO_BUTTONS)
        self.mm3.native.setFixedWidth(_BOX)
        self.number.native.setFixedWidth(_NUMBER_BOX)
        self.by.native.setMinimumContentsLength(0)
        # What a threshold is by is read before all else: the slider gives way.
        self.by.native.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.by.native.setSizePolicy(_FIXED, _FIXED)
        self.slider.native.setMinimumWidth(_SLIDER)
        for box, name in (
            (self.by, "Threshold by"),
            (self.number, "Threshold at"),
            (self.slider, "Threshold, stricter to the right"),
            (self.voxels, "Extent k: smallest cluster in voxels"),
            (self.mm3, "Smallest cluster in cubic millimeters"),
        ):
            box.native.setAccessibleName(name)
        self.more.native.setSizePolicy(_FIXED, _FIXED)

    def _connect(self) -> None:
        self.more.changed.connect(self._unfold)
        self.preset.changed.connect(self._use_preset)
        self.by.changed.connect(self._change_criterion)
        self.slider.changed.connect(self._slide)
        self.number.native.editingFinished.connect(self._type)
        self.dof.native.editingFinished.connect(self._change_dof)
        self.voxels.changed.connect(self._change_voxels)
        self.mm3.changed.connect(self._change_mm3)
        self.alpha.native.editingFinished.connect(self._change)
        boxes = (self.tail, self.connectivity, self.faint, self.fdr, self.dependence)
        for widget in boxes:
            widget.changed.connect(self._change)

    # Asked by magicgui again whenever layers come and go.

    def _criterion_choices(self, widget: object = None) -> list[tuple[str, Criterion]]:
        return self._choices.criteria

    def _tail_choices(self, widget: object = None) -> list[tuple[str, Direction]]:
        return self._choices.tails

    def _preset_choices(self, widget: object = None) -> list[tuple[str, Any]]:
        return [(_NO_PRESET, None), *((p.name, p) for p in self._choices.presets)]

    # --- showing ----------------------------------------------------------------------

    @property
    def offered(self) -> list[Criterion]:
        """The criteria that mean something for the map."""
        return [criterion for _, criterion in self._choices.criteria]

    def offer(
        self, statmap: StatMap, masking: Masking | None, dof: StatedDof | None
    ) -> None:
        """List the criteria, tails and presets that mean something for a map.

        Parameters
        ----------
        statmap : StatMap
            The map that is to be thresholded.
        masking : Masking or None
            Where clusters are looked for, None for everywhere.
        dof : float, pair of float or None
            Degrees of freedom that the user stated.

        Raises
        ------
        ResultsError
            When the map cannot be read.
        """
        self._statmap, self._evidence = statmap, Evidence(dof=dof)
        choices = ThresholdChoices.for_map(statmap, masking, self._evidence)
        self._choices = choices
        with self._quietly():
            for widget in (self.by, self.tail, self.preset):
                widget.reset_choices()
        # Reasons name maps, and files that could not be read.
        self.by.tooltip = for_qt(choices.no_criteria)
        self.tail.tooltip = for_qt(choices.no_tails)
        for index, preset in enumerate(choices.presets, start=1):
            self.preset.native.setItemData(
                index, for_qt(preset.about), Qt.ItemDataRole.ToolTipRole
            )
        takes_dof = statmap.kind.row.p.n_dof > 0
        self._needs_dof = takes_dof and PSource(statmap).own_dof is None
        self.dof.visible = self._needs_dof
        self.dof.value = _dof_text(dof)
        locked = statmap.level == "cluster"
        self.extent.enabled = self.volume.enabled = not locked
        self.extent.tooltip = self.volume.tooltip = _LOCKED if locked else _EXTENT
        self.connectivity.enabled = not locked
        self.connectivity.tooltip = _LOCKED if locked else _NEIGHBORS
        self.mm3.step = statmap.grid.voxel_mm3

    def fill(self, threshold: Threshold) -> None:
        """Show a threshold.

        Raises
        ------
        ResultsError
            When that cannot be asked of the map; the text says why.
        """
        assert self._statmap is not None
        self._check_offered(threshold.criterion)
        size = self._statmap.grid.voxel_mm3
        voxels = threshold.voxels_at_least(size)
        self._strict = threshold.strict
        self._extent_in_mm3 = threshold.min_mm3 is not None
        with self._quietly():
            self.by.value = threshold.criterion
            self._scale = choose_scale(
                self._statmap, threshold.criterion, self._evidence
            )
            self._write(threshold.number)
            self.fdr.value = threshold.fdr
            self.fdr.visible = threshold.criterion == "q"
            # Both first, where both were tested.
            auto = threshold.tail == "auto"
            self.tail.value = self._choices.tails[0][1] if auto else threshold.tail
            self.voxels.value = voxels
            self.mm3.value = threshold.min_mm3 or voxels * size
            self.connectivity.value = threshold.connectivity
            self.alpha.value = short_p(threshold.tdp_alpha)
            self.dependence.value = threshold.tdp_dependence

    def with_confidence(self, threshold: Threshold) -> Threshold:
        """Return another threshold with the confidence of the form.

        Raises
        ------
        ResultsError
            When the form holds none.
        """
        return replace(
            threshold,
            tdp_alpha=_number(self.alpha.value),
            tdp_dependence=self.dependence.value,
        )

    def show_faint(self, faint: bool) -> None:
        """Say whether what is below the threshold is shown faintly."""
        with self._quietly():
            self.faint.value = faint

    def _check_offered(self, criterion: Criterion | None) -> None:
        """Refuse what cannot be asked: of a p that is none, that is nothing at all."""
        if self._statmap is None or criterion in self.offered:
            return
        PSource(self._statmap, self._evidence).check_values()
        raise ResultsError(f"{self._statmap.title}. {self._choices.no_criteria}")

    def _write(self, number: float) -> None:
        self._write_text(number)
        places = [self._scale.position_of(stop) for stop in self._stops()]
        self.ticks.show_at(places)
        self.slider.value = round(self._scale.position_of(number) * _STEPS)

    def _write_text(self, number: float) -> None:
        of_value = self.by.value == "value"
        self.number.value = f"{number:.4g}" if of_value else short_p(number)

    # --- reading ----------------------------------------------------------------------

    def threshold(self) -> Threshold:
        """Read the form.

        Raises
        ------
        ResultsError
            When it does not hold a threshold; the text says why.
        """
        self._check_offered(self.by.value)
        threshold = Threshold.by(
            self.by.value,
            _number(self.number.value),
            tail=self.tail.value,
            connectivity=self.connectivity.value,
            strict=self._strict and self.by.value == "value",
            fdr=self.fdr.value if self.by.value == "q" else "BH",
        )
        threshold = self.with_confidence(threshold)
        if not self.extent.enabled:
            return replace(threshold, connectivity=Threshold.connectivity)
        if self._extent_in_mm3:
            return replace(threshold, min_mm3=self.mm3.value)
        return replace(threshold, min_voxels=self.voxels.value)

    def stated_dof(self) -> StatedDof | None:
        """Read the degrees of freedom, None when there are none.

        Raises
        ------
        ResultsError
            When they are no numbers.
        """
        parts = self.dof.value.replace(";", ",").split(",")
        numbers = [_number(part) for part in parts if part.strip()]
        if not self._needs_dof or not numbers:
            return None
        if len(numbers) > 2:
            raise ResultsError(f"{self.dof.value!r}: write one number, or two for F.")
        return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])

    # --- changes ----------------------------------------------------------------------

    def _quietly(self) -> _Quiet:
        return _Quiet(self)

    def _unfold(self, event: object = None) -> None:
        """Show or hide what is not asked for each time."""
        self.rest.visible = self.more.native.isChecked()
        self.more.text = "less" if self.rest.visible else "more"

    def _change(self, event: object = None) -> None:
        if not self._filling and self._statmap is not None:
            self.threshold_changed.emit()

    def _change_dof(self) -> None:
        if not self._filling and self._needs_dof:
            self.dof_changed.emit()

    def _slide(self, position: int) -> None:
        if self._filling:
            return
        self._strict = False
        with self._quietly():
            self._write_text(self._number_at(position))
        self._change()

    def _number_at(self, position: int) -> float:
        """Return the number at a position; near a usual one it is that one."""
        for stop in self._stops():
            if abs(self._scale.position_of(stop) * _STEPS - position) <= _CATCH:
                return stop
        return self._scale.number_at(position / _STEPS)

    def _stops(self) -> tuple[float, ...]:
        """List the usual numbers within the slider's range; values have none."""
        scale = self._scale
        if self.by.value == "value":
            return ()
        return tuple(stop for stop in _STOPS if scale.strict <= stop <= scale.loose)

    def _type(self) -> None:
        if self._filling or self._statmap is None:
            return
        try:
            number = self.threshold().number
        except ResultsError:
            # Applying says what is wrong with it.
            number = 0.0
        if number > 0:
            with self._quietly():
                self.slider.value = round(self._scale.position_of(number) * _STEPS)
        self._change()

    def _change_criterion(self, criterion: Criterion) -> None:
        if self._filling or self._statmap is None:
            return
        self._scale = choose_scale(self._statmap, criterion, self._evidence)
        number = self.translate(criterion)
        with self._quietly():
            self.fdr.visible = criterion == "q"
            self._write(number)
        self._change()

    def _change_voxels(self, voxels: int) -> None:
        if self._filling or self._statmap is None:
            return
        self._extent_in_mm3 = False
        with self._quietly():
            self.mm3.value = voxels * self._statmap.grid.voxel_mm3
        self._change()

    def _change_mm3(self, mm3: float) -> None:
        if self._filling or self._statmap is None:
            return
        self._extent_in_mm3 = mm3 > 0
        asked = Threshold(p=0.5, min_mm3=mm3 if mm3 > 0 else None)
        with self._quietly():
            self.voxels.value = asked.voxels_at_least(self._statmap.grid.voxel_mm3)
        self._change()

    def _use_preset(self, preset: Preset | None) -> None:
        if not self._filling and preset is not None:
            self.fill(self.with_confidence(preset.threshold))
            self._change()


class _TickMarks(QWidget):
    """Short lines over a slider, where it holds on."""

    def __init__(self, slider: QSlider) -> None:
        super().__init__(slider)
        self._slider = slider
        self._places: list[float] = []
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        slider.installEventFilter(self)

    def show_at(self, places: list[float]) -> None:
        """Draw lines at other places, 0 to 1."""
        self._places = places
        self.update()

    def eventFilter(self, slider: QObject, event: QEvent) -> bool:
        """Stay as large as the slider."""
        if event.type() == QEvent.Type.Resize:
            self.resize(self._slider.size())
        return False

    def paintEvent(self, event: Any) -> None:
        """Draw the lines."""
        style, slider = self._slider.style(), self._slider
        handle = style.pixelMetric(style.PixelMetric.PM_SliderLength, None, slider)
        room = self.width() - handle
        painter = QPainter(self)
        painter.setPen(self.palette().windowText().color())
        for place in self._places:
            x = handle // 2 + round(place * room)
            painter.drawLine(x, self.height() - _TICK_HEIGHT, x, self.height())
        painter.end()


class _Quiet:
    """While it lasts, changes of the form are not the user's."""

    def __init__(self, form: ThresholdForm) -> None:
        self._form = form

    def __enter__(self) -> None:
        self._before, self._form._filling = self._form._filling, True

    def __exit__(self, *error: object) -> None:
        self._form._filling = self._before


def _number(text: str) -> float:
    if (number := read_number(text)) is None:
        raise ResultsError(
            f"{text.strip()!r} is no number. Write it as .001, 0.001 or 1e-3."
        )
    return number


def _dof_text(dof: StatedDof | None) -> str:
    if dof is None:
        return ""
    numbers = dof if isinstance(dof, tuple) else (dof,)
    return ", ".join(f"{number:g}" for number in numbers)


def _word(statmap: StatMap, criterion: Criterion) -> str:
    """Name a criterion by what it means for the map."""
    if criterion == "value":
        return f"value ({statmap.kind})"
    if criterion == "p" and statmap.correction:
        return p_word(statmap)
    return _CRITERIA[criterion]
