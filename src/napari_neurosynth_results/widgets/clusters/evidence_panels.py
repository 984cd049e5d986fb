"""How much of a cluster is active, and where; how large its effect is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QModelIndex, QSignalBlocker, Qt, QTimer
from qtpy.QtGui import QPainter, QPen
from qtpy.QtWidgets import (
    QCheckBox,
    QFrame,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.tables.clusters import save_active_parts
from napari_neurosynth_results.job import CancelledError
from napari_neurosynth_results.statistics.clusters.active_parts import (
    ActiveParts,
    are_parts_of,
    find_active_parts,
)
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.effects import tell_effect
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.canvas import legend_once
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    MOST_AT_ONCE,
    cluster_layer,
    show_parts,
    shown_parts,
)
from napari_neurosynth_results.viewer.shown_maps import layer_of
from napari_neurosynth_results.widgets.common.background_job import BackgroundJob
from napari_neurosynth_results.widgets.common.layout import PlainLabel, wrap
from napari_neurosynth_results.widgets.common.row_table import (
    Column,
    RowModel,
    TableView,
    records,
)
from napari_neurosynth_results.widgets.common.save_dialogs import (
    LABEL_VOLUMES,
    TABLES,
    ask_and_save,
    beside_window,
)

if TYPE_CHECKING:
    from napari.viewer import Viewer

_PLOT_HEIGHT, _PLOT_TITLES, _PLOT_MARGIN = 72, 52, 16
_PLOTTED = ("est", "est_low", "est_high", "pi_low", "pi_high")


class ForestPlot(QWidget):
    """Estimates as squares, and their intervals as lines: thick of the mean effect.

    The thin line is where the effect of a new study may lie.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows: Sequence[tuple[str, Sequence[float]]] = ()
        self.setMinimumHeight(_PLOT_HEIGHT)
        self.setAccessibleName("Forest plot of the effect")

    def show_rows(self, rows: Sequence[tuple[str, Sequence[float]]]) -> None:
        """Show other estimates.

        Parameters
        ----------
        rows : sequence of tuple
            What each is, and est, est_low, est_high, pi_low and pi_high.
        """
        self._rows = rows
        self.update()

    def paintEvent(self, event: Any) -> None:
        """Draw the axis, and one line below the other."""
        numbers = [0.0, *(x for _, row in self._rows for x in row if math.isfinite(x))]
        low, high = min(numbers), max(numbers)
        if not self._rows or high <= low:
            return
        painter = QPainter(self)
        ink, faint = self.palette().windowText().color(), self.palette().mid().color()
        room = self.width() - _PLOT_TITLES - 2 * _PLOT_MARGIN

        def across(value: float) -> int:
            share = (value - low) / (high - low)
            return _PLOT_TITLES + _PLOT_MARGIN + int(share * room)

        step = self.height() // (len(self._rows) + 1)
        painter.setPen(QPen(faint, 1, Qt.PenStyle.DashLine))
        painter.drawLine(across(0), 2, across(0), self.height() - step + 4)
        for number, (title, values) in enumerate(self._rows):
            y = step * number + step // 2
            painter.setPen(ink)
            painter.drawText(0, y + 4, title)
            est, *ends = values
            for (start, stop), width in zip((ends[2:], ends[:2]), (1, 3), strict=True):
                if math.isfinite(start) and math.isfinite(stop):
                    painter.setPen(QPen(ink, width))
                    painter.drawLine(across(start), y, across(stop), y)
            if math.isfinite(est):
                painter.fillRect(across(est) - 4, y - 4, 8, 8, ink)
        painter.setPen(ink)
        for value in sorted({low, 0.0, high}):
            text = f"{value:.2g}"
            wide = painter.fontMetrics().horizontalAdvance(text)
            painter.drawText(across(value) - wide // 2, self.height() - 4, text)
        painter.end()


class EffectPanel(QScrollArea):
    """How large the effect of a cluster is: in words, as a plot, with what to know."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        # Arrow keys scroll it.
        self.setAccessibleName("Effect")
        inside = QWidget(self)
        self.setWidget(inside)
        self.sentence = wrap(PlainLabel("", inside))
        self.plot = ForestPlot(inside)
        self.notices = wrap(PlainLabel("", inside))
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.sentence)
        layout.addWidget(self.plot)
        layout.addWidget(self.notices)
        layout.addStretch(1)

    def show_cluster(self, clusters: ClusterSet | None, label: int) -> None:
        """Show the effect of a cluster, 0 for none."""
        self._write(clusters, label)
        # Labels take no keyboard: a screen reader says them with what scrolls them.
        told = (self.sentence.text(), self.notices.text())
        self.setAccessibleDescription("\n".join(filter(None, told)))

    def _write(self, clusters: ClusterSet | None, label: int) -> None:
        if clusters is None or not label:
            self.sentence.setText("Choose a cluster in the table to see its effect.")
            self.notices.setText("")
            self.plot.show_rows([])
            return
        table = clusters.effects
        row, notices = table.iloc[label - 1].to_dict(), table.attrs["notices"]
        lines, rows = [clusters.names[label - 1]], []
        for what, mean in (("Peak", ""), ("Cluster", "mean_")):
            values = [float(row[f"{mean}{key}"]) for key in _PLOTTED]
            rows.append((what, values))
            lines.append(f"{what}: {tell_effect(row, mean)}")
        self.sentence.setText("\n".join(lines))
        self.plot.show_rows(rows)
        self.notices.setText("\n".join(f"- {told}." for told in notices))


# --- the parts of clusters that are active --------------------------------------------

_USUAL_SHARE = 70
#: A slider that moves is not kept waiting for parts, ms.
_REST = 150
_PARTS = (
    Column(
        "Cluster",
        "The cluster that the part lies in. A click goes to the strongest voxel of "
        "the part",
        value=itemgetter("name"),
    ),
    Column("k", "Voxels of the part", ",d", value=itemgetter("n_voxels")),
    Column(
        "Active",
        "At least so many of these voxels are active",
        ",d",
        value=itemgetter("true_discoveries"),
    ),
    Column(
        "TDP",
        "The same as a share of the part: its true discovery proportion",
        "at least",
        value=itemgetter("tdp_percent"),
    ),
    *(
        Column(
            axis,
            f"MNI {axis} of the strongest voxel of the part, mm",
            ".4g",
            value=itemgetter(f"peak_{axis}"),
        )
        for axis in "xyz"
    ),
)
#: Pixels between controls of one line.
_BETWEEN = 6
_STOPPED = "Stopped. Another share looks again."
_NO_CLUSTERS = "There are no clusters whose parts could be looked for."


class PartsPanel(QWidget):
    """List the largest parts of clusters of which a share is active, and outline them.

    Parameters
    ----------
    viewer : Viewer
        Where they are outlined, inside of their clusters.
    """

    def __init__(self, viewer: Viewer, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._clusters: ClusterSet | None = None
        self._label = 0
        self._parts: ActiveParts | None = None
        #: Whether another map has come, whose lines say which share was chosen there.
        self._is_new = True
        self.share = QSpinBox(self)
        self.share.setRange(1, 100)
        self.share.setSingleStep(10)
        self.share.setPrefix("At least ")
        self.share.setSuffix(" % active")
        self.share.setValue(_USUAL_SHARE)
        self.share.setKeyboardTracking(False)
        self.share.setAccessibleName("At least so much of a part is active")
        self.share.setToolTip(
            "How much of each part has to be active. Try any number: all answers hold "
            "together, and with those for other thresholds"
        )
        self.outline = QCheckBox(self)
        self.outline.setToolTip(
            "Draw a black line around each part, inside of its cluster. Lines follow "
            "the threshold; another click takes them away"
        )
        self.save = QPushButton("Save...", self)
        self.save.setToolTip("Save the parts of all clusters: a table, or their labels")
        self.sentence = wrap(PlainLabel("", self))
        self.view = TableView(RowModel(_PARTS, self), self, sortable=True)
        self.background_job = BackgroundJob()
        self._arrange()
        self._rests = QTimer(self)
        self._rests.setSingleShot(True)
        self._rests.setInterval(_REST)
        self._rests.timeout.connect(self._find)
        self.share.valueChanged.connect(self._find)
        self.outline.toggled.connect(self._outline)
        self.save.clicked.connect(self._save)
        self.view.selectionModel().currentChanged.connect(self._go_to)
        # A bound method is held weakly by napari: closing the panel ends it.
        viewer.dims.events.ndisplay.connect(self._name_outline)
        self._name_outline()

    def _arrange(self) -> None:
        line = QFlowLayout()
        line.setHorizontalSpacing(_BETWEEN)
        line.addWidget(self.share)
        line.addWidget(self.outline)
        line.addWidget(self.save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(line)
        layout.addWidget(self.sentence)
        layout.addWidget(self.background_job)
        layout.addWidget(self.view, 1)

    def _name_outline(self, event: object = None) -> None:
        """Say where lines can be seen."""
        in_3d = self._viewer.dims.ndisplay > 2
        self.outline.setText("Outline (in planes)" if in_3d else "Outline")

    def show_cluster(self, clusters: ClusterSet | None, label: int) -> None:
        """Show the parts of a cluster, 0 for those of all."""
        before, self._clusters, self._label = self._clusters, clusters, label
        if clusters is None or before is None or before.statmap is not clusters.statmap:
            self._parts, self._is_new = None, True
        if self._parts is not None and not are_parts_of(self._parts, self._clusters):
            # While a slider moves what was found stays: it is true at all thresholds.
            self._rests.start()
        else:
            self._find()

    # --- finding ----------------------------------------------------------------------

    def _find(self) -> None:
        """Find the parts of the clusters that are shown, and list them."""
        clusters = self._clusters
        if clusters is None or not len(clusters):
            self._fill(None, _NO_CLUSTERS)
            return
        self._follow_outlines()
        share = self.share.value() / 100
        for known in (self._parts, self._outlined()):
            if (
                known is not None
                and known.share == share
                and are_parts_of(known, clusters)
            ):
                # The names may be others; lines of the same parts are not drawn anew.
                same = known.clusters is clusters
                self._fill(known if same else replace(known, clusters=clusters))
                return
        if clusters.labelled.where.size > MOST_AT_ONCE and clusters.proven.testing:
            self._find_apart(clusters, share)
            return
        try:
            self._fill(find_active_parts(clusters, share))
        except ResultsError as error:
            self._fill(None, str(error))

    def _find_apart(self, clusters: ClusterSet, share: float) -> None:
        """Find the parts of large clusters on another thread."""
        job = self.background_job
        if job.busy:
            # It looks again when that has come to its end.
            job.cancel()
            return

        def done(parts: ActiveParts) -> None:
            self._parts = parts
            # Other clusters may be there by now, or another share is wanted.
            self._find()

        def failed(error: ResultsError) -> None:
            if self._clusters is not clusters or self.share.value() / 100 != share:
                self._find()
            elif isinstance(error, CancelledError):
                self._fill(None, _STOPPED)
            else:
                self._fill(None, str(error))

        job.start(
            lambda one: find_active_parts(clusters, share, one),
            "Active parts",
            done=done,
            failed=failed,
        )

    def _fill(self, parts: ActiveParts | None, why: str = "") -> None:
        self._parts = parts
        self.outline.setEnabled(parts is not None)
        self.save.setEnabled(parts is not None and len(parts) > 0)
        if parts is None:
            self.sentence.setText(why)
            self.view.rows.show([])
            return
        self.sentence.setText(parts.tell(self._label))
        rows = records(parts.table)
        self.view.rows.show([row for row in rows if self._label in (0, row["label"])])
        self.view.setColumnHidden(0, bool(self._label))
        if self.outline.isChecked() and self._outlined() is not parts:
            self._outline()

    # --- the canvas -------------------------------------------------------------------

    def _layers(self) -> tuple[Any, Any]:
        """Return the layers of the map and of its clusters; None where one is gone."""
        if self._clusters is None:
            return None, None
        statmap = self._clusters.statmap
        return layer_of(self._viewer, statmap), cluster_layer(self._viewer, statmap)

    def _outlined(self) -> ActiveParts | None:
        """Return the parts that are outlined on the map."""
        _, found = self._layers()
        return shown_parts(found) if found is not None else None

    def _follow_outlines(self) -> None:
        """Say of which share the parts are that are outlined on this map."""
        outlined = self._outlined()
        with QSignalBlocker(self.outline), QSignalBlocker(self.share):
            self.outline.setChecked(outlined is not None)
            if outlined is not None and self._is_new:
                self.share.setValue(round(100 * outlined.share))
        self._is_new = False

    def _outline(self, wanted: bool = True) -> None:
        """Draw the lines, or take them away."""
        layer, found = self._layers()
        if layer is not None and found is not None:
            with legend_once(self._viewer):
                show_parts(layer, found, self._parts if wanted else None)

    def _go_to(self, index: QModelIndex, before: QModelIndex | None = None) -> None:
        if index.isValid():
            row = self.view.rows.rows[index.row()]
            place = (row[f"peak_{axis}"] for axis in "xyz")
            scene.jump_to(self._viewer, *place)

    def _save(self) -> None:
        if (parts := self._parts) is not None and self._clusters is not None:
            suggested = f"{self._clusters.statmap.key}_parts.tsv"
            kinds = f"{TABLES};;{LABEL_VOLUMES}"
            save = beside_window(partial(save_active_parts, parts))
            ask_and_save(self, "Save the active parts", suggested, kinds, save)
