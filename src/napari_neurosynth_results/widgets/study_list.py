"""The studies of a layer of foci as a list: chosen ones are lit up on the canvas."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QWidget

from napari_neurosynth_results.maps.studies import Studies, Study
from napari_neurosynth_results.viewer.palette import study_colors

_ID = Qt.ItemDataRole.UserRole
_ICON_PIXELS = 12


class StudyList(QListWidget):  # type: ignore[misc]
    """Included studies by name, each with the color of its foci."""

    #: Ids of the studies that are chosen now, none when all are alike.
    chosen = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setUniformItemSizes(True)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setToolTip(
            "Choose studies to bring out their foci; Ctrl and Shift choose several."
        )
        self._studies: Studies | None = None
        self.itemSelectionChanged.connect(self._tell)

    def show_studies(self, studies: Studies | None, lit: frozenset[str] | None) -> None:
        """List some studies without telling anybody.

        Parameters
        ----------
        studies : Studies or None
            Those of a layer.
        lit : frozenset of str or None
            Ids of those that are lit up there.
        """
        with QSignalBlocker(self):
            if studies is not self._studies:
                self._studies = studies
                self.clear()
                for item in _items(studies) if studies is not None else []:
                    self.addItem(item)
            for item in self._rows():
                item.setSelected(lit is not None and item.data(_ID) in lit)

    def filter(self, text: str) -> None:
        """Hide the studies whose name has not all words of a text."""
        words = text.lower().split()
        for item in self._rows():
            name = item.text().lower()
            item.setHidden(not all(word in name for word in words))

    def chosen_ids(self) -> list[str]:
        """Return the ids of the studies that are chosen."""
        return [item.data(_ID) for item in self.selectedItems()]

    def choose(self, study_ids: list[str]) -> None:
        """Choose some studies, as the mouse does."""
        with QSignalBlocker(self):
            for item in self._rows():
                item.setSelected(item.data(_ID) in study_ids)
        self._tell()

    def _rows(self) -> list[QListWidgetItem]:
        return [self.item(row) for row in range(self.count())]

    def _tell(self) -> None:
        self.chosen.emit(self.chosen_ids())


def _items(studies: Studies) -> list[QListWidgetItem]:
    included = {study.id for study in studies.included}
    numbers = np.arange(len(studies))
    colors = [tuple(color) for color in study_colors(numbers)[:, :3].tolist()]
    icons = {color: _icon(*color) for color in set(colors)}
    items = []
    for study, color in zip(studies, colors, strict=True):
        if study.id in included:
            item = QListWidgetItem(icons[color], _named(study))
            item.setData(_ID, study.id)
            item.setToolTip(_told(study))
            items.append(item)
    return items


def _icon(red: float, green: float, blue: float) -> QIcon:
    pixmap = QPixmap(_ICON_PIXELS, _ICON_PIXELS)
    pixmap.fill(QColor.fromRgbF(red, green, blue))
    return QIcon(pixmap)


def _named(study: Study) -> str:
    name = " ".join((study.name or study.id).split())
    year = str(study.year) if study.year else ""
    return f"{name} ({year})" if year and year not in name else name


def _told(study: Study) -> str:
    used = [analysis for analysis in study.analyses if analysis.included]
    n_foci = sum(len(analysis.foci) for analysis in used)
    people = [a.participants for a in used if a.participants is not None]
    told = [_named(study), study.authors, study.publication, study.doi]
    told.append("; ".join(analysis.name for analysis in used))
    told.append(f"{n_foci:,} foci")
    told.append(f"{max(people):,} participants" if people else "")
    return "\n".join(line[:200] for line in told if line)
