"""The package as others meet it: cheap to import, and a manifest that napari obeys."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distribution, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

import napari_neurosynth_results as nnr
from napari_neurosynth_results.anatomy.planes import HEAD_SIDES
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.scene import facing
from napari_neurosynth_results.viewer.settings import PLUGIN

#: The site folder of the built wheel, when it is the wheel that is tested.
INSTALLED = os.environ.get("NNR_TEST_INSTALLED")
ROOT = Path(__file__).parents[1]
HEAVY = ("napari", "qtpy", "PyQt6", "magicgui", "nibabel", "pandas", "scipy", "numpy")
COMMANDS = yaml.safe_load(
    (files("napari_neurosynth_results") / "napari.yaml").read_text(encoding="utf-8")
)["contributions"]["commands"]


def loaded_by(code: str) -> set[str]:
    """Return which heavy packages a fresh interpreter has loaded after some code."""
    end = f"import sys; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{end}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: list[str] = yaml.safe_load(done.stdout)
    return set(found)


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import napari_neurosynth_results") == set()


@pytest.mark.slow
def test_opening_a_result_loads_neither_napari_nor_qt() -> None:
    code = """
import napari_neurosynth_results as nnr
from napari_neurosynth_results.sample import sample_folder
nnr.open_results(sample_folder())['z'].data
"""
    loaded = loaded_by(code)
    assert {"nibabel", "numpy"} <= loaded
    assert not loaded & {"napari", "qtpy", "PyQt6", "magicgui", "pandas"}


@pytest.mark.slow
def test_a_folder_is_seen_without_what_only_other_sources_and_tabs_need() -> None:
    package = "napari_neurosynth_results."
    others = ("sources.online.links", "sources.zip_archive", "sources.web.cache")
    others += ("sources.studies", "sources.atlases", "export.workspace.contents")
    others += ("statistics.comparison", "statistics.studies.contributions")
    code = f"""
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.viewer.plugin.reader import read
from napari_neurosynth_results.widgets import workbench
from napari_neurosynth_results.widgets.clusters import widget
read(sample_folder())
import sys
found = [name for name in {others} if {package!r} + name in sys.modules]
assert not found, found
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_tab_of_what_can_be_saved_opens_without_what_saves_it() -> None:
    code = """
from napari_neurosynth_results.widgets import commands
import sys
ours = ("api.report", "api.studies", "export.report", "export.figures")
ours += ("viewer.workspace", "sources.online", "statistics.studies.contributors")
found = [one for one in ours if f"napari_neurosynth_results.{one}" in sys.modules]
found += [one for one in ("requests", "matplotlib") if one in sys.modules]
assert not found, found
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there() -> None:
    for name in nnr.__all__:
        assert getattr(nnr, name) is not None
        assert name in dir(nnr)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        nnr.nothing  # noqa: B018


def test_the_version_is_said_once_and_alike() -> None:
    assert nnr.__version__ == version(PLUGIN)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{nnr.__version__}"\n' in project


def test_the_package_is_the_one_under_test() -> None:
    home = Path(nnr.__file__).resolve().parent
    site = Path(INSTALLED) if INSTALLED else ROOT / "src"
    assert home == (site / "napari_neurosynth_results").resolve()


@pytest.mark.parametrize(
    "path",
    [
        "napari.yaml",
        "py.typed",
        "anatomy/data/mni152_t1_1mm.nii.gz",
        "anatomy/data/mni152_t1_2mm.nii.gz",
        "anatomy/data/MNI152-LICENSE.txt",
        "sample/pain-ale/z.nii.gz",
        "sample/pain-ale/LICENSE.txt",
        "sample/pain-ale/PROVENANCE.md",
    ],
)
def test_what_the_package_needs_is_shipped_with_it(path: str) -> None:
    assert (Path(nnr.__file__).parent / path).is_file()


def test_the_licenses_are_in_the_wheel() -> None:
    if not INSTALLED:
        pytest.skip("the wheel is not under test")
    licenses = [
        str(f) for f in distribution(PLUGIN).files or () if "licenses" in f.parts
    ]
    names = "\n".join(licenses)
    assert "MNI152-LICENSE.txt" in names
    assert "pain-ale/LICENSE.txt" in names


def test_the_manifest_lies_at_the_root_too() -> None:
    link = ROOT / "napari.yaml"
    package = ROOT / "src" / "napari_neurosynth_results"
    assert link.is_symlink()
    assert link.resolve() == (package / "napari.yaml").resolve()
    # What is installed has the same.
    installed = Path(nnr.__file__).parent / "napari.yaml"
    assert installed.read_bytes() == link.read_bytes()


@pytest.mark.slow
def test_npe2_finds_the_manifest_valid() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", PLUGIN, "--imports"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "valid" in done.stdout.lower()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command["id"])
def test_every_command_is_a_function_with_a_docstring(command: dict[str, str]) -> None:
    module, _, name = command["python_name"].partition(":")
    found = getattr(importlib.import_module(module), name)
    assert callable(found)
    assert found.__doc__
    assert command["id"].startswith(f"{PLUGIN}.")
    assert command["title"][0].isupper() or command["title"][0].isdigit()


def test_every_contribution_has_its_command(plugin: Any) -> None:
    manifest = plugin.get_manifest(PLUGIN)
    known = {command.id for command in manifest.contributions.commands}
    used = {reader.command for reader in manifest.contributions.readers}
    used |= {writer.command for writer in manifest.contributions.writers}
    used |= {widget.command for widget in manifest.contributions.widgets}
    used |= {sample.command for sample in manifest.contributions.sample_data}
    for items in manifest.contributions.menus.values():
        used |= {item.command for item in items if hasattr(item, "command")}
    assert used <= known
    # Only what needs Qt and opens by itself is called by us alone.
    assert known - used == {f"{PLUGIN}.copy_text", f"{PLUGIN}.open_panel"}


@pytest.mark.viewer
def test_the_commands_of_the_menu_turn_the_view(
    plugin: Any, make_napari_viewer: Callable[..., Any], sample_path: Path
) -> None:
    from napari._app_model import get_app_model

    viewer = make_napari_viewer()
    viewer.open(sample_path / "z.nii.gz", plugin=PLUGIN)
    app = get_app_model()
    menu = [
        item.command.id
        for item in app.menus.get_menu("anatomical_view")
        if hasattr(item, "command")
    ]
    names = ("axial", "coronal", "sagittal", "3d")
    planes = {f"{PLUGIN}.show_{name}": name for name in names}
    sides = {
        f"{PLUGIN}.use_{name}": orientation
        for name, orientation in scene.CAMERA_ORIENTATION.items()
    }
    views = {f"{PLUGIN}.view_{side}": side for side in HEAD_SIDES}
    others = {
        f"{PLUGIN}.{name}"
        for name in (
            *("toggle_glass", "show_cortex", "toggle_crosshair", "use_anatomy"),
            "back_to_scene",
        )
    }
    assert set(menu) == {*planes, *sides, *views, *others}
    for command in reversed(planes):
        app.commands.execute_command(command).result()
        assert scene.current_plane(viewer).lower() == planes[command]
    for command in reversed(sides):
        app.commands.execute_command(command).result()
        assert viewer.scene.camera.orientation == sides[command]
    for command, side in views.items():
        app.commands.execute_command(command).result()
        assert facing(viewer) == side
    app.commands.execute_command(f"{PLUGIN}.back_to_scene").result()
    # Before the first of all these views.
    assert scene.current_plane(viewer) == "axial"
