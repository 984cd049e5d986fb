"""Studies by clusters at a glance: who is behind what, as a field of colors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QModelIndex, QSize, Signal
from qtpy.QtWidgets import QAbstractItemView, QWidget

from napari_neurosynth_results.widgets.common.color_grid import (
    ColorGrid,
    ColorRamp,
    GridView,
)

if TYPE_CHECKING:
    from napari_neurosynth_results.statistics.studies.contributors import Contributors

#: From nothing to most: dark blue over magenta to yellow, told apart without red and
#: green, and by lightness alone. In the manner of matplotlib's "plasma".
_RAMP = ((40, 40, 60), (70, 30, 140), (150, 30, 150), (220, 90, 90), (250, 210, 60))
_CELL = QSize(26, 18)
_TITLES_WIDTH = 150


class StudyHeatMap(GridView):
    """Experiments by clusters, those behind most clusters first."""

    #: Label of a cluster and id of an experiment, empty where a header was clicked.
    picked = Signal(int, str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, _CELL, _TITLES_WIDTH)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._experiments: list[str] = []
        self.clicked.connect(self._pick)
        self.horizontalHeader().sectionClicked.connect(self._pick_cluster)

    def show_contributors(self, behind: Contributors | None) -> None:
        """Show who is behind other clusters: by foci, else by shares."""
        table = behind.ranked if behind else None
        if behind is None or table is None:
            self._experiments = []
            self.cells.show(None)
            return
        values = table.to_numpy(dtype=np.float64)
        names = self._experiments = [str(name) for name in table.index]
        most = float(np.nanmax(values, initial=0.0))
        counted = behind.foci is not None
        self.cells.show(
            ColorGrid(
                values,
                rows=[behind.title(name) for name in names],
                columns=[str(name) for name in behind.clusters.names],
                ramp=ColorRamp(_RAMP, largest=most or 1.0),
                text=lambda value: f"{value:.0f}" if counted and value > 0 else "",
                tooltip=lambda row, column: behind.told(names[row], column + 1),
            )
        )

    def experiment(self, index: QModelIndex) -> str:
        """Return the experiment of a cell."""
        return str(self._experiments[index.row()])

    def _pick(self, index: QModelIndex) -> None:
        self.picked.emit(index.column() + 1, self.experiment(index))

    def _pick_cluster(self, section: int) -> None:
        self.picked.emit(section + 1, "")
