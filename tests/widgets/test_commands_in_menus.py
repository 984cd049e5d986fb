"""The menus are where the documentation says they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtWidgets import QApplication, QDockWidget, QMainWindow

pytestmark = pytest.mark.viewer
ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
_PATH = re.compile(r"\*((?:File|Layers|Plugins) > [^*]+)\*")


def told() -> dict[str, str]:
    """Return every path through menus that is told of, and a page that does."""
    return {
        path: page.name
        for page in PAGES
        for path in _PATH.findall(" ".join(page.read_text(encoding="utf-8").split()))
    }


def entries(menu: Any) -> dict[str, Any]:
    """Return what stands in a menu, without napari's mark of whose it is."""
    named = {}
    for action in menu.actions():
        text = action.text().replace("&", "").removesuffix(" (Neurosynth results)")
        # Napari's own entries may have dots that nobody writes.
        named[text] = named[text.rstrip(".")] = action
    return named


def entry(path: str) -> Any:
    """Return an entry of the one window's menus, None where it is not there."""
    (window,) = (
        one for one in QApplication.topLevelWidgets() if isinstance(one, QMainWindow)
    )
    menu, found = window.menuBar(), None
    for name in path.split(" > "):
        found = entries(menu).get(name)
        if found is None:
            return None
        menu = found.menu()
    return found


def test_every_menu_that_is_told_of_is_there(
    plugin: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    make_napari_viewer()
    paths = told()
    assert len(paths) > 15
    for path, page in paths.items():
        assert entry(path) is not None, f"{page}: {path}"


def test_entries_open_the_one_panel_at_their_tab(
    plugin: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    viewer = make_napari_viewer()
    link = "File > IO Utilities > Open NeuroVault / Compose / NiMARE..."
    for path, tab in {
        "Plugins > Neurosynth results > Neurosynth results": "Clusters",
        "Layers > Measure > Compare maps": "Compare",
        "Layers > Visualize > Maps of the result": "Maps",
        "Layers > Visualize > 3D brain, glass brain, surface": "Views",
        "Layers > Visualize > Foci of studies": "Views",
        "Layers > Visualize > Planes and place": "Views",
        "Layers > Segment > Threshold and clusters": "Clusters",
        "Layers > Measure > Export": "Export",
        "Layers > Measure > Cluster table": "Clusters",
        link: "Clusters",
    }.items():
        entry(path).trigger()
        (panel,) = viewer.window.dock_widgets.values()
        dock = panel.parentWidget()
        assert isinstance(dock, QDockWidget)
        assert not dock.isHidden()
        assert panel.tabs.tabText(panel.tabs.currentIndex()) == tab, path
        dock.hide()
    assert panel.header.source.isVisibleTo(panel)
    foci = panel.panel("Views").foci
    assert foci.native.isVisibleTo(panel.panel("Views"))


def test_parts_can_be_had_alone_and_low(
    plugin: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    viewer = make_napari_viewer()
    for name in ("Threshold", "Clusters"):
        entry(f"Plugins > Neurosynth results > {name}").trigger()
    alone = list(viewer.window.dock_widgets.values())
    assert [type(one).__name__ for one in alone] == ["ThresholdWidget", "ClusterWidget"]
