"""Small results on disk, and a napari that knows this plugin and no preferences."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, settings

from helpers.schedule import (
    Schedule,
    has_virtual_displays,
    longest_first,
    start_display,
    stop_display,
)
from local_servers import LocalServers
from napari_neurosynth_results import open_results
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.sources.web.client import WebClient
from napari_neurosynth_results.viewer.layers import underlay_layer
from napari_neurosynth_results.viewer.settings import PLUGIN

# Set before napari is imported: empty means that no preference is read or written.
os.environ["NAPARI_CONFIG"] = ""
# Widgets that outlive their viewer are reported, and warnings are errors.
os.environ["NAPARI_STRICT_QT"] = "1"
# Tests press Ctrl+C, which background jobs of a shell are started deaf to.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: Tests run beside each other, so the clock says nothing about one example.
settings.register_profile(
    "together", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("together")

#: Of which a whole collection takes some 20 ms.
_MANY_OBJECTS = 30_000
#: 20 mm voxels over the whole brain, so that nothing looks misplaced.
SHAPE = (8, 9, 8)
AFFINE = np.array(
    [[20, 0, 0, -70], [0, 20, 0, -110], [0, 0, 20, -60], [0, 0, 0, 1]], float
)
Arrays = Mapping[str, npt.ArrayLike]
Texts = Mapping[str, str]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name no test by a file's bytes: some hold the time, and differ by process."""
    return argname if isinstance(val, bytes) and len(val) > 16 else None


def pytest_configure(config: pytest.Config) -> None:
    """Give each process a display; the first has that of who started it."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    if worker != "gw0" and has_virtual_displays():
        server = start_display()
        config.add_cleanup(lambda: stop_display(server))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep what a neighbor would disturb to one process."""
    config.option.loadscopereorder = False  # longest_first did
    return Schedule(config, log)


def pytest_collection_finish() -> None:
    """Spare the garbage collector, which tests call often, all that was imported."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Collect widgets that a test leaves before pytest-qt lets Qt work.

    One that Python collects in the middle of its own event ends the process.
    """
    _mark_windows("before the call")
    try:
        yield
    finally:
        if _windows_since("before the call"):
            gc.collect()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Spare it what was imported later, and what other tests keep.

    Not after a test: pytest lets go of its fixtures later, and what is frozen then is
    never collected. PySide6 leaves the dialogs of a closed window to the collector.
    """
    if len(gc.get_objects(generation=2)) > _MANY_OBJECTS:
        gc.collect()
        gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what to do where there is no display, before Qt ends the process."""
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    needs = any(item.get_closest_marker("viewer") for item in items)
    if sys.platform.startswith("linux") and needs and not display:
        raise pytest.UsageError(
            "There is no display for the tests that open a window. Run make test, or "
            'scripts/with-display.sh pytest, or pytest -m "not viewer".'
        )
    if "PYTEST_XDIST_WORKER" in os.environ:
        longest_first(items)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write maps (stem -> array) and texts (file name -> text) to a new folder."""
    count = 0

    def _write(
        maps: Arrays, texts: Texts | None = None, *, name: str = "", affine: Any = None
    ) -> Path:
        nonlocal count
        count += 1
        folder = tmp_path / (name or f"run{count}")
        folder.mkdir(parents=True)
        affine = AFFINE if affine is None else affine
        for stem, array in maps.items():
            image = nib.Nifti1Image(np.asarray(array, np.float32), affine)
            image.to_filename(folder / f"{stem}.nii.gz")
        for filename, text in (texts or {}).items():
            (folder / filename).write_text(text, encoding="utf-8")
        return folder

    return _write


@pytest.fixture
def opened(write: Callable[..., Path]) -> Callable[..., ResultSet]:
    """Write maps and texts, and open their folder."""

    def _opened(maps: Arrays, texts: Texts | None = None, **options: Any) -> ResultSet:
        return open_results(write(maps, texts, **options))

    return _opened


@pytest.fixture
def inside() -> npt.NDArray[np.bool_]:
    """Return a mask: all but the rim of the grid."""
    mask = np.zeros(SHAPE, bool)
    mask[1:-1, 1:-1, 1:-1] = True
    return mask


@pytest.fixture
def rng() -> np.random.Generator:
    """Return random numbers, the same in every run."""
    return np.random.default_rng(8)


@pytest.fixture(scope="session")
def sample_path() -> Path:
    """Return the folder of the packaged sample: an ALE of pain studies."""
    return Path(sample_folder())


@pytest.fixture(scope="session")
def sample(sample_path: Path) -> ResultSet:
    """Return the packaged sample, opened once; nothing of it can be changed."""
    return open_results(sample_path)


@pytest.fixture(scope="session")
def manifests() -> list[Any]:
    """Return what this plugin and napari itself contribute, read once."""
    from npe2 import PluginManifest

    return [PluginManifest.from_distribution(name) for name in ("napari", PLUGIN)]


@pytest.fixture
def plugin(npe2pm: Any, manifests: list[Any], plugin_settings: None) -> Iterator[Any]:
    """Register this plugin and napari's own readers, and no other."""
    napari, ours = manifests
    with npe2pm.tmp_plugin(manifest=napari), npe2pm.tmp_plugin(manifest=ours):
        yield npe2pm


@pytest.fixture(autouse=True)
def no_internet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep tests to this machine: no real server is asked, no real cache is used."""
    for name in ("NEUROVAULT_URL", "COMPOSE_URL", "NEUROSTORE_URL", "NEUROVAULT_TOKEN"):
        monkeypatch.delenv(f"NNR_{name}", raising=False)
    monkeypatch.setenv("NNR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NNR_OFFLINE", "1")


@pytest.fixture(autouse=True)
def session() -> Iterator[None]:
    """Begin as a session of napari does: nobody has closed the panel or chosen yet.

    Widgets that a test made and did not show are gone after it, not when Python
    collects them: until then their timers would go on, in the next test.
    """
    _mark_windows("before the test")
    yield
    if napari_settings := sys.modules.get("napari.settings"):
        # What was chosen in a test that knows no plugin but the one installed.
        napari_settings._clear_plugin_settings_cache()
    for widget in _windows_since("before the test"):
        if widget.parent() is None and not widget.isVisible():
            widget.deleteLater()
    if (qt := sys.modules.get("qtpy.QtCore")) and (
        app := qt.QCoreApplication.instance()
    ):
        app.sendPostedEvents(None, qt.QEvent.Type.DeferredDelete.value)
        for kept in ("panel_closed", "ortho_place"):
            app.setProperty(f"neurosynth_results_{kept}", None)


def _windows() -> list[Any]:
    """Return all widgets that are windows, shown or not."""
    if (qt := sys.modules.get("qtpy.QtWidgets")) and (
        app := qt.QApplication.instance()
    ):
        return list(app.topLevelWidgets())
    return []


def _mark_windows(when: str) -> None:
    """Mark those that there are; in a list they would not be collected."""
    for widget in _windows():
        widget.setProperty(when, True)


def _windows_since(when: str) -> list[Any]:
    return [widget for widget in _windows() if not widget.property(when)]


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, no_internet: None) -> Iterator[LocalServers]:
    """Serve NeuroVault, Compose and NeuroStore on this machine, and ask them."""
    with LocalServers() as web:
        monkeypatch.setenv("NNR_NEUROVAULT_URL", web.neurovault)
        monkeypatch.setenv("NNR_COMPOSE_URL", web.compose)
        monkeypatch.setenv("NNR_NEUROSTORE_URL", web.neurostore)
        monkeypatch.setenv("NNR_OFFLINE", "0")
        # As often asked as users' servers are, but sooner again.
        assert "pause" in WebClient.__init__.__kwdefaults__
        monkeypatch.setitem(WebClient.__init__.__kwdefaults__, "pause", 0.01)
        yield web


@pytest.fixture
def viewer(qapp: Any) -> Any:
    """Return the model of a viewer: no window, no graphics card."""
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture
def underlay(viewer: Any) -> Any:
    """Return the layer of the MNI brain, the first of the viewer without a window."""
    from napari.layers import Layer

    return viewer.add_layer(Layer.create(*underlay_layer()))


@pytest.fixture(scope="module")
def window_of_the_file(qapp: Any) -> Iterator[Any]:
    """Open a real window for all tests of a file; they take it as ``window``."""
    from napari import Viewer
    from napari._app_model._app import NapariApplication, _napari_names
    from napari._qt._qapp_model.qactions import init_qactions
    from napari.plugins import _initialize_plugins

    # What napari's `make_napari_viewer` does for one test: an application of its own.
    app = NapariApplication("of the file")
    app.injection_store.namespace = _napari_names
    once = (init_qactions, _initialize_plugins)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NapariApplication, "get_app_model", lambda *_: app)
        start = "napari._qt.threads.status_checker.StatusChecker.start"
        patch.setattr(start, lambda _: None)
        for one in once:
            one.cache_clear()
        viewer = Viewer(show=True, show_welcome_screen=False)
        viewer.window.resize(1100, 800)
        yield viewer
        viewer.close()
        NapariApplication.destroy("of the file")
        for one in once:
            one.cache_clear()
        # What was frozen while the window was there would not be collected.
        del viewer
        gc.unfreeze()
        gc.collect()


@pytest.fixture
def window(window_of_the_file: Any) -> Any:
    """Return the viewer of a real window on the screen, without layers.

    For pictures of layers: opening a window takes longer than ten of them. What a
    session does to the window needs one of its own, by ``make_napari_viewer``; no file
    can have both.
    """
    viewer = window_of_the_file
    viewer.layers.clear()
    viewer.dims.ndisplay = 2
    viewer.dims.order = tuple(range(viewer.dims.ndim))
    return viewer


@pytest.fixture
def preferences(plugin: Any) -> Any:
    """Return the plugin's preferences, as the dialog of napari changes them."""
    from napari.settings import get_plugin_settings

    return get_plugin_settings(PLUGIN)


@pytest.fixture
def notifications() -> Iterator[list[Any]]:
    """Collect what napari tells the user."""
    from napari.utils.notifications import notification_manager

    told: list[Any] = []
    notification_manager.notification_ready.connect(told.append)
    yield told
    notification_manager.notification_ready.disconnect(told.append)
    notification_manager.records.clear()
