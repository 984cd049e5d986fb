"""What contributors are told is so: rooms and arrows, files and functions, commands."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "napari_neurosynth_results"
TOLD = (
    ROOT / "docs" / "architecture.md",
    ROOT / "docs" / "dependencies.md",
    ROOT / "CONTRIBUTING.md",
)
#: A file, and the name of something in it: `sources/opening.py: open_source`.
_FILE = re.compile(r"`([\w./-]+\.(?:py|sh|md|toml|yaml)|[\w./-]+/)(?:: (\w+))?`")
_MAKE = re.compile(r"make ([a-z]+)")


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the script, which is no part of the package."""
    path = ROOT / "scripts" / "draw_architecture.py"
    spec = importlib.util.spec_from_file_location("draw_architecture", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Where data classes look for their module.
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_picture_and_page_are_what_the_imports_say(drawing: ModuleType) -> None:
    stale = [
        path.name
        for path, text in drawing.files().items()
        if path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run: python scripts/draw_architecture.py"


def test_arrows_that_follow_from_others_are_left_out(drawing: ModuleType) -> None:
    arrows = {"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": {"b"}}
    assert drawing.needed_arrows(arrows) == [("a", "b"), ("b", "c"), ("d", "b")]
    assert drawing.floors_of(arrows) == [["c"], ["b"], ["a", "d"]]


def test_a_circle_shares_a_floor(drawing: ModuleType) -> None:
    arrows = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}
    assert drawing.floors_of(arrows) == [["d"], ["b", "c"], ["a"]]


def test_rooms_are_drawn_as_the_contracts_have_them(drawing: ModuleType) -> None:
    arrows = drawing.arrows_below("")
    assert not arrows["statistics"] & {"sources", "export", "viewer"}
    assert "maps" in drawing.reached(arrows, "statistics")
    screens = {room: drawing.screen_of(room) for room in arrows}
    assert screens.pop("widgets") == "qt"
    assert screens.pop("viewer") == "napari"
    assert set(screens.values()) == {""}


@pytest.mark.parametrize("page", TOLD, ids=lambda page: page.name)
def test_every_file_and_name_that_is_told_of_is_there(page: Path) -> None:
    told = _FILE.findall(page.read_text(encoding="utf-8").partition("## Index")[0])
    assert told
    for path, name in told:
        places = (SOURCES / path, ROOT / path)
        found = next((place for place in places if place.exists()), None)
        assert found is not None, path
        if name:
            tree = ast.parse(found.read_text(encoding="utf-8"))
            kinds = (ast.FunctionDef, ast.ClassDef)
            assert name in {n.name for n in tree.body if isinstance(n, kinds)}, path


def test_every_command_that_is_told_of_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", makefile, re.MULTILINE)
    pages = (*TOLD, ROOT / "README.md", ROOT / "docs" / "releasing.md")
    for page in pages:
        text = page.read_text(encoding="utf-8")
        told = re.findall(r"`[^`\n]+`|^make [^#\n]+", text, re.MULTILINE)
        for command in _MAKE.findall(" ".join(told)):
            assert command in targets, f"{page.name}: make {command}"
