"""The menus are where the documentation says they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtWidgets import QApplication, QMainWindow

from napari_neurosynth_results.viewer.settings import PLUGIN

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


def test_every_menu_that_is_told_of_is_there(
    plugin: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    make_napari_viewer()
    (window,) = (
        one for one in QApplication.topLevelWidgets() if isinstance(one, QMainWindow)
    )
    paths = told()
    assert len(paths) > 15
    for path, page in paths.items():
        menu = window.menuBar()
        for name in path.split(" > "):
            there = entries(menu)
            assert name in there, f"{page}: {path}"
            menu = there[name].menu()


def test_the_entry_for_links_opens_the_browser_with_its_box(
    plugin: Any, make_napari_viewer: Callable[..., Any]
) -> None:
    from napari._app_model import get_app_model

    viewer = make_napari_viewer()
    get_app_model().commands.execute_command(f"{PLUGIN}.open_link").result()
    (browser,) = viewer.window.dock_widgets.values()
    browser.source.value = "no such folder"
    assert browser.source.native.isVisibleTo(browser.native)
