"""The list of all maps of a result: which have a layer, which wait, what went wrong."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from magicgui.widgets import (
    ComboBox,
    Container,
    Label,
    LineEdit,
    PushButton,
    Select,
    TextEdit,
)

from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.viewer.layers import REASON_KEY, map_of, result_sets
from napari_neurosynth_results.viewer.notices import diagnostics
from napari_neurosynth_results.viewer.reader import add_maps
from napari_neurosynth_results.widgets.clipboard import copy_text

if TYPE_CHECKING:
    from napari.viewer import Viewer

_NOTHING_OPEN = (
    "No result is open. Drop a NiMARE folder or a NIfTI map on the canvas, or use "
    "File > Open Sample."
)


_READABLE_WIDTH = 240


class MapsOfResult(Container):  # type: ignore[misc]
    """Add layers for maps that wait, and read what went wrong.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer whose layers' results are listed.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        self.result = ComboBox(
            choices=self._choices, tooltip="Results that have a layer in this viewer"
        )
        self.search = LineEdit()
        self.search.native.setPlaceholderText("Filter: z, FWE, association ...")
        self.maps = Select(choices=self._map_choices, tooltip="Choose one or several")
        self.maps.native.setMinimumHeight(180)
        self.about = Label(value="")
        self.about.native.setWordWrap(True)
        self.about.native.setMinimumWidth(_READABLE_WIDTH)
        self.add = PushButton(text="Add as layers")
        self.problems = TextEdit()
        self.problems.read_only = True
        self.problems.native.setMaximumHeight(120)
        self.copy = PushButton(text="Copy diagnostics")
        self.extend(
            [
                *(self.result, self.search, self.maps, self.about, self.add),
                *(self.problems, self.copy),
            ]
        )
        self.result.changed.connect(self._show_result)
        self.search.changed.connect(self._fill)
        self.maps.changed.connect(self._describe)
        self.add.changed.connect(self._add)
        self.copy.changed.connect(self._copy)
        self.maps.native.itemDoubleClicked.connect(self._add)
        # Bound methods are held weakly by napari: closing the widget ends them.
        layers = napari_viewer.layers
        layers.events.inserted.connect(self._refresh)
        layers.events.removed.connect(self._refresh)
        self._show_result()

    def _choices(self, widget: object = None) -> list[tuple[str, ResultSet]]:
        """List the results; a title that was there before gets a number."""
        found = result_sets(self._viewer.layers)
        titles = [results.title for results in found]
        counts = [titles[:n].count(title) for n, title in enumerate(titles, start=1)]
        return [
            (f"{results.title} ({n})" if n > 1 else results.title, results)
            for n, results in zip(counts, found, strict=True)
        ]

    def _map_choices(self, widget: object = None) -> list[tuple[str, StatMap]]:
        """List the maps that the filter lets through, in their order of interest."""
        results = self.result.value
        maps = results.maps.values() if results is not None else ()
        shown = self._shown()
        words = self.search.value.lower().split()
        return [
            (f"{'● ' if statmap.key in shown else '○ '}{statmap.title}", statmap)
            for statmap in maps
            if all(word in statmap.title.lower() for word in words)
        ]

    def _fill(self, event: object = None) -> None:
        # Emptied first: magicgui would keep the order of choices that stay.
        self.maps.choices = ()
        self.maps.reset_choices()

    def _shown(self) -> set[str]:
        """Keys of the chosen result's maps that have a layer."""
        found = (map_of(layer) for layer in self._viewer.layers)
        return {
            m.key for m in found if m is not None and m.results is self.result.value
        }

    def _refresh(self, event: object = None) -> None:
        self.result.reset_choices()
        self._show_result()

    def _show_result(self, event: object = None) -> None:
        self._fill()
        self._show_problems()
        self._describe()

    def _show_problems(self) -> None:
        results = self.result.value
        problems = results.problems if results is not None else ()
        self.problems.value = "\n".join(problems)
        self.problems.visible = bool(problems)

    def _describe(self, event: object = None) -> None:
        """Say what the chosen map is, or what to do."""
        results = self.result.value
        chosen = self.maps.value
        self.add.enabled = bool(chosen)
        self.copy.enabled = results is not None
        if results is None:
            self.about.value = _NOTHING_OPEN
        elif not chosen:
            self.about.value = (
                f"{len(results.maps)} maps, {len(self._shown())} with a layer (●)."
            )
        else:
            self.about.value = self._about(chosen[0])

    def _about(self, statmap: StatMap) -> str:
        lines = [f"{os.path.basename(statmap.path)}", statmap.kind.meaning]
        layer = next((x for x in self._viewer.layers if map_of(x) is statmap), None)
        if layer is not None:
            lines.append(f"Shown: {layer.metadata[REASON_KEY]}")
        return "\n".join([*lines, *statmap.notices])

    def _add(self, event: object = None) -> None:
        """Add the chosen maps that have no layer yet; bring the others to view."""
        from napari.utils.notifications import show_warning

        shown = self._shown()
        chosen = list(self.maps.value)
        for layer in self._viewer.layers:
            if map_of(layer) in chosen:
                layer.visible = True
        for problem in add_maps(
            self._viewer, [m for m in chosen if m.key not in shown]
        ):
            show_warning(problem)
        self._show_problems()

    def _copy(self, event: object = None) -> None:
        if self.result.value is not None:
            copy_text(diagnostics(self.result.value))
