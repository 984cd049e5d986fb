"""The studies behind clusters: who, how much, where to read it, and all at a glance."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QModelIndex, QSize, Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QFrame,
    QLabel,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.statistics.studies.contributors import (
    ABOUT_SHARES,
    Contributors,
)
from napari_neurosynth_results.widgets.common.background_job import BackgroundJob
from napari_neurosynth_results.widgets.common.color_grid import (
    ColorGrid,
    ColorRamp,
    GridView,
)
from napari_neurosynth_results.widgets.common.layout import PlainLabel, wrap
from napari_neurosynth_results.widgets.common.row_table import (
    Column,
    RowModel,
    TableView,
    is_unknown,
    records,
)

if TYPE_CHECKING:
    from napari_neurosynth_results.errors import ResultsError
    from napari_neurosynth_results.maps.results import ResultSet

#: From nothing to most: dark blue over magenta to yellow, told apart without red and
#: green, and by lightness alone. In the manner of matplotlib's "plasma".
_RAMP = ((40, 40, 60), (70, 30, 140), (150, 30, 150), (220, 90, 90), (250, 210, 60))
_CELL = QSize(26, 18)
#: Between buttons of a line; the look of napari leaves none.
_BETWEEN = 6
_TITLES_WIDTH = 150
#: A smaller share would be written as 0 %.
_LEAST_WRITTEN = 0.005

_COLUMNS = (
    Column(
        "Study", "A click lights up the foci of the study", value=itemgetter("study")
    ),
    Column("Year", "Year of publication", "d", value=itemgetter("year")),
    Column("N", "Number of participants", ",d", value=itemgetter("participants")),
    Column(
        "Foci",
        "Foci of the study in this cluster",
        "d",
        value=itemgetter("foci"),
        bar=True,
    ),
    Column(
        "Share",
        ABOUT_SHARES,
        ".1%",
        value=itemgetter("share"),
        bar=True,
        tooltip=lambda row: _activation(
            "mean over the cluster", row["mean_activation"]
        ),
    ),
    Column(
        "At peak",
        "Share of the statistic at the peak that is lost without the experiment",
        ".1%",
        value=itemgetter("peak_share"),
        bar=True,
        tooltip=lambda row: _activation("at the peak", row["peak_activation"]),
    ),
)
_NO_CLUSTER = "Choose a cluster in the table to see the studies behind it."
_ASK = "Get the studies (asks {})"


class StudyPanel(QWidget):
    """List the studies behind one cluster."""

    #: Ids of the studies whose foci are to be lit up; None for all as before.
    lit_changed = Signal(object)
    #: The studies have come from a server.
    studies_received = Signal()
    #: The user wants the table in a file.
    save_requested = Signal()
    #: The user wants to know what becomes of the clusters without each experiment.
    leave_out_requested = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._behind: Contributors | None = None
        self._label = 0
        self._lit: frozenset[str] | None = None
        self.sentence = _text()
        self.cautions = _text()
        self.cautions.setStyleSheet("font-weight: bold")
        self.view = TableView(RowModel(_COLUMNS, self), self, sortable=True)
        self.notices = _text()
        # What has to be said once must not take the room of what is looked at.
        self._told = _scrolling(self.notices)
        self._told.hide()
        self.notes = QToolButton()
        self.notes.setCheckable(True)
        self.notes.setAutoRaise(True)
        self.notes.toggled.connect(self._told.setVisible)
        self.ask = QPushButton()
        self.ask.hide()
        self.background_job = BackgroundJob()
        self.leave_out = QPushButton("Leave one out")
        self.leave_out.setToolTip(
            "Estimate the meta-analysis anew without each experiment in turn, and "
            "count in how many of these each cluster is found again"
        )
        self.paper = QPushButton("Open paper")
        self.paper.setToolTip("Open the study's DOI or PubMed page in the browser")
        self.save = QPushButton("Save studies...")
        self.save.setToolTip("All clusters and their studies, as a tab-separated table")
        self._arrange()
        self.paper.clicked.connect(self.open_paper)
        self.save.clicked.connect(self.save_requested)
        self.leave_out.clicked.connect(self.leave_out_requested)
        self.view.selectionModel().currentChanged.connect(self._light)
        self.view.doubleClicked.connect(self.open_paper)
        self.view.entered_by_key.connect(self.open_paper)
        self.ask.clicked.connect(self._fetch)
        self._results: ResultSet | None = None
        self.show_cluster(None, 0, "")

    def _arrange(self) -> None:
        buttons = QFlowLayout()
        buttons.setHorizontalSpacing(_BETWEEN)
        # What is not always there comes last: it keeps its room.
        for button in (self.notes, self.paper, self.save, self.leave_out):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        for widget in (self.sentence, self.cautions, self.ask, self.background_job):
            layout.addWidget(widget)
        layout.addWidget(self.view, 1)
        layout.addWidget(self._told, 1)
        layout.addLayout(buttons)

    def show_cluster(self, behind: Contributors | None, label: int, why: str) -> None:
        """Show who is behind a cluster.

        Parameters
        ----------
        behind : Contributors or None
            What is known of the map's clusters.
        label : int
            The cluster, 0 for none.
        why : str
            What to say when nothing is known.
        """
        before = self._chosen if label == self._label else ""
        self._behind, self._label = behind, label
        known, told = bool(behind) and label > 0, ""
        table = behind.of(label) if behind and known else None
        if table is None:
            self.view.rows.show([])
            if behind is not None and label in behind.elsewhere:
                # Whose numbers there are.
                why = behind.sentence(label)
            self.sentence.setText(why or _NO_CLUSTER)
            self.cautions.setText("")
        else:
            assert behind is not None
            self.view.rows.show(records(table))
            survival = behind.survival_sentence(label)
            self.sentence.setText(f"{behind.sentence(label)}\n{survival}".strip())
            told = "\n".join(behind.told_of(label))
            self.cautions.setText(behind.caution(label))
        # The rows say whose share is how large, but not together.
        self.sentence.setToolTip(for_qt(told))
        self.cautions.setVisible(bool(self.cautions.text()))
        for column in range(1, len(_COLUMNS)):
            self.view.setColumnHidden(column, self.view.rows.is_unknown(column))
        self.save.setEnabled(bool(behind))
        self._enable_leave_out()
        self._show_notices()
        self.choose(before)
        self._enable_paper()

    def _enable_leave_out(self) -> None:
        """Offer what can be done: with foci, and where it was not done already."""
        behind = self._behind
        known = behind is not None and behind.modeled is not None
        done = behind is not None and behind.left_out is not None
        self.leave_out.setVisible(known)
        self.leave_out.setEnabled(not done and not self.background_job.busy)

    def _show_notices(self) -> None:
        notices = self._behind.notes if self._behind else []
        self.notices.setText("\n".join(f"- {notice}" for notice in notices))
        self._told.setAccessibleDescription(self.notices.text())
        self.notes.setText(f"{len(notices)} note{'s' * (len(notices) != 1)}")
        self.notes.setEnabled(bool(notices))

    def offer(self, results: ResultSet | None, server: str) -> None:
        """Offer to ask a server for the studies, where that has not been done.

        Parameters
        ----------
        results : ResultSet or None
            Whose studies.
        server : str
            What the server is called.
        """
        self._results = results
        self.ask.setText(_ASK.format(server))
        self.ask.setVisible(results is not None and not results.studies_at_hand)

    def _fetch(self) -> None:
        results = self._results
        if results is None or self.background_job.busy:
            return
        self.background_job.start(
            lambda job: results.studies,
            "Studies",
            done=self._receive,
            failed=self._fail,
        )
        # Not before: the job asks what had the keyboard.
        self.ask.setEnabled(False)

    def _receive(self, studies: object) -> None:
        self.ask.setEnabled(True)
        self.ask.hide()
        self.studies_received.emit()
        if studies is None:
            self.sentence.setText("The server has no studies for this result.")

    def _fail(self, error: ResultsError) -> None:
        self.ask.setEnabled(True)
        self.sentence.setText(str(error))

    # --- one study --------------------------------------------------------------------

    @property
    def _chosen(self) -> str:
        """The experiment that is chosen, empty for none."""
        row = self._current()
        return "" if row is None else str(row["experiment"])

    def _current(self) -> Any:
        index = self.view.currentIndex()
        return self.view.rows.rows[index.row()] if index.isValid() else None

    def _light(self, index: QModelIndex, before: QModelIndex | None = None) -> None:
        self._enable_paper()
        self._tell()

    def _tell(self) -> None:
        """Tell which study is to be lit up, unless that was told before."""
        experiments = self._behind.experiments if self._behind else None
        found = experiments.find(self._chosen) if experiments is not None else None
        lit = frozenset({found.study.id}) if found is not None else None
        if lit != self._lit:
            self._lit = lit
            self.lit_changed.emit(lit)

    def choose(self, experiment: str) -> None:
        """Choose the row of an experiment; none where it is not listed."""
        names = [row["experiment"] for row in self.view.rows.rows]
        row = names.index(experiment) if experiment in names else -1
        self.view.setCurrentIndex(self.view.rows.index(row, 0))
        # New rows come without a word about the one that was chosen before.
        self._tell()

    def _enable_paper(self) -> None:
        row = self._current()
        self.paper.setEnabled(row is not None and bool(row["link"]))

    def open_paper(self, index: object = None) -> None:
        """Open the chosen study in the browser."""
        row = self._current()
        if row is not None and row["link"]:
            QDesktopServices.openUrl(QUrl(row["link"]))


def _activation(where: str, value: float) -> str:
    """Say what the foci of an experiment, widened by its kernel, add somewhere."""
    return "" if is_unknown(value) else f"Modeled activation {where}: {value:.3g}"


def _text() -> QLabel:
    return wrap(PlainLabel())


def _scrolling(text: QLabel) -> QScrollArea:
    """Let a long text scroll in the room that there is."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setAccessibleName("Notes")
    text.setAlignment(Qt.AlignmentFlag.AlignTop)
    area.setWidget(text)
    return area


class StudyHeatMap(GridView):
    """Experiments by clusters, those behind most clusters first."""

    #: Label of a cluster and id of an experiment, empty where a header was clicked.
    picked = Signal(int, str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, _CELL, _TITLES_WIDTH)
        self._experiments: list[str] = []
        self.clicked.connect(self._pick)
        self.horizontalHeader().sectionClicked.connect(self._pick_cluster)

    def show_contributors(
        self, behind: Contributors | None, *, by_shares: bool = False
    ) -> None:
        """Show who is behind other clusters.

        Parameters
        ----------
        behind : Contributors or None
            What is known of them.
        by_shares : bool
            Whether to show shares, where there are any; else foci, where there are any.
        """
        table = behind.ranked if behind else None
        if behind and by_shares and behind.ranked_shares is not None:
            table = behind.ranked_shares
        if behind is None or table is None:
            self._experiments = []
            self.cells.show(None)
            return
        values = table.to_numpy(dtype=np.float64)
        names = self._experiments = [str(name) for name in table.index]
        most = float(np.nanmax(values, initial=0.0))
        counted = behind.foci is not None and table is behind.ranked
        self.cells.show(
            ColorGrid(
                values,
                rows=[behind.title(name) for name in names],
                columns=[str(name) for name in behind.clusters.names],
                ramp=ColorRamp(_RAMP, largest=most or 1.0),
                text=lambda value: _cell(value, counted=counted),
                tooltip=lambda row, column: behind.told(names[row], column + 1),
            )
        )

    def experiment(self, index: QModelIndex) -> str:
        """Return the experiment of a cell."""
        return str(self._experiments[index.row()])

    def keyPressEvent(self, event: Any) -> None:
        """Pick the cell that arrow keys have led to."""
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and self.currentIndex().isValid():
            self._pick(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _pick(self, index: QModelIndex) -> None:
        self.picked.emit(index.column() + 1, self.experiment(index))

    def _pick_cluster(self, section: int) -> None:
        self.picked.emit(section + 1, "")


def _cell(value: float, *, counted: bool) -> str:
    """Write foci as they are, and shares in percent."""
    if counted:
        return f"{value:.0f}" if value > 0 else ""
    return f"{100 * value:.0f}" if value >= _LEAST_WRITTEN else ""
