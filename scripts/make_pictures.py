"""Draw the pictures of README and docs from the packaged sample, by ``make pictures``.

They are looked at before they are committed: they are the proof that left is left.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

# Before napari is imported: the pictures show the defaults, not somebody's preferences.
os.environ["NAPARI_CONFIG"] = ""

import napari
import nibabel as nib
import numpy as np
from PIL import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QToolTip, QWidget
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from napari_neurosynth_results import (
    compare_maps,
    find_clusters,
    open_results,
    save_figure,
    save_report,
)
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.maps.studies import Studies
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.sources.studies.study_files import open_studies
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.brain_views.brain import show_brain
from napari_neurosynth_results.viewer.brain_views.cortex import show_cortex
from napari_neurosynth_results.viewer.brain_views.glass import hide_glass, show_glass
from napari_neurosynth_results.viewer.clusters.atlas_choice import chosen_atlas
from napari_neurosynth_results.viewer.clusters.cluster_layers import show_clusters
from napari_neurosynth_results.viewer.foci import light_up, show_foci
from napari_neurosynth_results.viewer.layers import map_of, result_sets
from napari_neurosynth_results.viewer.plugin.reader import add_maps, strongest_place
from napari_neurosynth_results.viewer.scene import view_from, view_obliquely
from napari_neurosynth_results.viewer.settings import PLUGIN
from napari_neurosynth_results.viewer.shown_maps import show_alone
from napari_neurosynth_results.widgets.clusters.widget import ClusterWidget
from napari_neurosynth_results.widgets.ortho.widget import show_ortho
from napari_neurosynth_results.widgets.workbench import open_workbench, show_foci_tab

IMAGES = Path(__file__).parent.parent / "docs" / "images"


def main() -> None:
    """Open the sample and draw it from all sides."""
    viewer = _open(sample_folder(), 1200, 860)
    _quieten(viewer)
    _save(viewer.window.screenshot(canvas_only=False, flash=False), "window.png")
    _show_only(viewer, "uncorrected · z")
    viewer.window.resize(1100, 860)
    views = []
    for plane in ("axial", "coronal", "sagittal"):
        scene.show_plane(viewer, plane)  # type: ignore[arg-type]
        views.append(_canvas(viewer))
    scene.show_3d(viewer)
    views.append(_canvas(viewer))
    _save(views[0], "axial.png")
    # In 3D there is no slider, and the canvas is a little taller.
    height = max(view.shape[0] for view in views)
    # In 3D there is no slider below.
    views = [
        np.pad(view, ((0, height - view.shape[0]), (0, 0), (0, 0))) for view in views
    ]
    top, bottom = np.hstack(views[:2]), np.hstack(views[2:])
    _save(np.vstack([top, bottom])[::2, ::2], "planes.png")
    scene.show_plane(viewer, "axial")
    scene.set_anatomical(viewer, "radiological")
    _save(_canvas(viewer), "radiological.png")
    viewer.close()
    draw_whole_window()
    _browser()
    _thresholds()
    _studies()
    draw_evidence()
    draw_foci(open_studies(Path(sample_folder()) / "studyset.json"))
    _readout()
    _ortho()
    _brains()
    draw_figures()
    draw_report()


def draw_whole_window() -> None:
    """Draw a window of 1920 x 1080 at work: a cluster, its studies, three planes."""
    viewer = _open(sample_folder(), 1920, 1080)
    table = _first_cluster(viewer)
    table.details.setCurrentWidget(table.details.studies)
    show_ortho(viewer, "center")
    _settle(viewer)
    window = viewer.window.screenshot(canvas_only=False, flash=False)
    _save(window, "whole-window.png", colors=256)
    viewer.close()


def draw_figures() -> None:
    """Draw the figures that papers would show, on black and on white."""
    results = open_results(sample_folder())
    clusters = find_clusters(results["z"], p=0.001, min_voxels=10)
    tested = find_clusters(
        results["z_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
    )
    with tempfile.TemporaryDirectory() as folder:
        mirrored = _mirrored(results["z"], Path(folder))
        compared = compare_maps(results["z"], mirrored, threshold_a={"p": 0.001})
    draw = partial(save_figure, dpi=135, overwrite=True)
    draw(tested, IMAGES / "lightbox.png", background="white")
    draw(clusters, IMAGES / "ortho-figure.png", kind="ortho")
    draw(clusters, IMAGES / "glass-figure.png", kind="glass", background="white")
    draw(compared, IMAGES / "comparison-figure.png")


def draw_report() -> None:
    """Photograph the first page of a report, where there is a browser for it."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("No browser is there: report.png stays as it is.")
        return
    with tempfile.TemporaryDirectory() as folder:
        page, picture = Path(folder) / "report.html", Path(folder) / "report.png"
        save_report(open_results(sample_folder()), page)
        command = [browser, "--headless", "--no-sandbox", "--hide-scrollbars"]
        command += ["--window-size=1000,1500", f"--screenshot={picture}"]
        subprocess.run([*command, page.as_uri()], check=True, capture_output=True)
        _save(np.asarray(Image.open(picture)), "report.png", colors=256)


def _mirrored(statmap: StatMap, folder: Path) -> StatMap:
    """Make a map to compare with: the same one, left and right exchanged."""
    path = folder / "mirrored_z.nii.gz"
    nib.save(nib.Nifti1Image(statmap.data[::-1], statmap.affine), path)
    (made,) = open_results(path).maps.values()
    made.data  # noqa: B018
    return made


def _browser() -> None:
    """Draw the results browser, with a result of a server on this machine."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from local_servers import Fault, LocalServers

    with LocalServers() as web, tempfile.TemporaryDirectory() as cache:
        os.environ |= {
            "NNR_NEUROVAULT_URL": web.neurovault,
            "NNR_COMPOSE_URL": web.compose,
            "NNR_CACHE_DIR": cache,
        }
        collection = web.add_collection("Pain, ALE")
        for path in sorted(Path(sample_folder()).glob("*.nii.gz")):
            if not path.name.startswith("label"):  # Compose does not upload these
                record = collection.add_image(path.name, path.read_bytes())
                name = f"glass_brain_{record['id']}.jpg"
                collection.files[name] = _thumbnail(path)
        meta_id = web.add_meta_analysis(collection, n_results=3)
        viewer = napari.Viewer()
        viewer.window.resize(1400, 860)
        panel = open_workbench(viewer, "Maps")
        panel.header.open_source(f"{web.compose}/meta-analyses/{meta_id}")
        while panel.opener.background_job.busy:
            _settle(viewer, seconds=0.1)
        _quieten(viewer)
        web.fail("/media/", Fault.drip(20_000))
        browser = panel.panel("Maps")
        waiting = [m for m in browser.results.maps.values() if not m.at_hand]
        browser.view.choose(waiting[:3])
        browser.add.native.click()
        _settle(viewer, seconds=0.6)
        _save(viewer.window.screenshot(canvas_only=False, flash=False), "browser.png")
        panel.opener.background_job.cancel()
        viewer.close()


def _thumbnail(path: Path) -> bytes:
    """Draw a map as NeuroVault does: from the side, its strongest voxels."""
    voxels = np.abs(np.asanyarray(nib.load(path).dataobj)).max(axis=0).T[::-1]
    picture = Image.fromarray(np.uint8(255 - 255 * voxels / voxels.max()))
    data = io.BytesIO()
    picture.save(data, "JPEG")
    return data.getvalue()


def _thresholds() -> None:
    """Draw the threshold widget and the cluster table."""
    viewer = _open(sample_folder(), 1500, 980)
    panel = open_workbench(viewer, "Clusters").panel("Clusters")
    form, table = panel.threshold, panel.table
    _quieten(viewer)
    # A slice through clusters that are significant and some that are not.
    scene.look_at(viewer, 0, 0, _busiest_slice(form.clusters))
    _settle(viewer)
    _save(viewer.window.screenshot(canvas_only=False, flash=False), "cluster-level.png")
    _show_only(viewer, "uncorrected · z")
    form.form.voxels.value = 10
    form.form.faint.value = True
    _settle(viewer)
    table.go_next()
    table.view.expand(table.model.index(0, 0))
    _settle(viewer)
    _save(viewer.window.screenshot(canvas_only=False, flash=False), "threshold.png")
    viewer.close()


def _studies() -> None:
    """Draw the studies behind a cluster, and the heat map of all."""
    viewer = _open(sample_folder(), 1500, 980)
    table = _first_cluster(viewer)
    details = table.details
    details.setCurrentWidget(details.studies)
    # A study with a focus in the slice.
    details.studies.choose("pain_18.nidm-1")
    details.studies.notes.setChecked(True)
    _settle(viewer)
    _save(viewer.window.screenshot(canvas_only=False, flash=False), "studies.png")
    details.setCurrentWidget(details.heat.parentWidget())
    _settle(viewer)
    _save(_grabbed(table.native), "heat-map.png")
    viewer.close()


def draw_evidence() -> None:
    """Draw how much of clusters is active, and where, who makes them, and effects."""
    viewer = _open(sample_folder(), 1366, 768)
    panel = open_workbench(viewer, "Clusters").panel("Clusters")
    form, table = panel.threshold, panel.table
    _quieten(viewer)
    _show_only(viewer, "uncorrected · z")
    form.form.voxels.value = 10
    _settle(viewer)
    _save(_with_tooltip(viewer, table), "tdp.png")
    table.go_next()
    table.drawer.click()
    details = table.details
    details.setCurrentWidget(details.parts)
    details.parts.outline.click()
    _settle(viewer)
    viewer.scene.camera.zoom *= 1.7
    viewer.scene.camera.center = (0.0, 14.0, 2.0)
    _wait(0.3)
    window = viewer.window.screenshot(canvas_only=False, flash=False)
    # The layer list says nothing here.
    _save(window[:, 370:], "active-parts.png")
    table.view.mark(0)
    table.view.setCurrentIndex(table.model.index(6, 0))
    details.setCurrentWidget(details.studies)
    details.studies.leave_out.click()
    while details.studies.background_job.busy:
        _wait(0.1)
    _settle(viewer)
    _save(_grabbed(table.native), "stands.png")
    viewer.close()
    with tempfile.TemporaryDirectory() as folder:
        _write_image_based(Path(folder))
        viewer = _open(folder, 1366, 768)
        table = open_workbench(viewer, "Clusters").panel("Clusters").table
        _quieten(viewer)
        # One where the studies differ.
        row = int(table.clusters.effects["tau2"].argmax())
        table.view.setCurrentIndex(table.model.index(row, 0))
        table.drawer.click()
        table.details.setCurrentWidget(table.details.effect)
        _settle(viewer)
        _save(_grabbed(table.details), "effect.png")
        viewer.close()


def _with_tooltip(viewer: napari.Viewer, table: ClusterWidget) -> np.ndarray:
    """Photograph the screen where the mouse rests on the title of the TDP."""
    view, window = table.view, viewer.window._qt_window
    window.move(0, 0)
    titles = [view.rows.title(column) for column in view.shown_columns()]
    column = view.shown_columns()[titles.index("TDP")]
    view.scrollTo(view.model().index(0, column))
    told = view.rows.headerData(
        column, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole
    )
    below = view.viewport().mapToGlobal(QPoint(-40, 130))
    QToolTip.showText(below, told, view)
    _wait(0.4)
    corner = table.native.mapToGlobal(QPoint(-50, 0))
    screen = QApplication.primaryScreen().grabWindow(0)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "screen.png")
        screen.save(path)
        found = np.asarray(Image.open(path).convert("RGB"))
    QToolTip.hideText()
    return found[corner.y() : corner.y() + 480, corner.x() : window.width()]


def _write_image_based(folder: Path) -> None:
    """Write the maps of a random-effects meta-analysis of 12 simulated studies.

    Effects where those of the sample are, which differ between the studies; combined by
    DerSimonian and Laird (1986).
    """
    source = open_results(sample_folder())["z"]
    inside, rng = source.mask, np.random.default_rng(0)
    assert inside is not None
    truth = gaussian_filter(0.15 * source.data, 1)
    variance = rng.uniform(0.02, 0.08, 12)
    y = []
    for one in variance:
        noise = gaussian_filter(rng.normal(size=truth.shape), 1.5)
        y.append(truth * rng.normal(1, 0.5) + noise / noise.std() * np.sqrt(one))
    effects = np.array([study[inside] for study in y])
    weight = 1 / variance[:, np.newaxis]
    fixed = (weight * effects).sum(0) / weight.sum()
    q = (weight * (effects - fixed) ** 2).sum(0)
    scale = weight.sum() - (weight**2).sum() / weight.sum()
    tau2 = np.maximum(0, (q - (len(variance) - 1)) / scale)
    weight = 1 / (variance[:, np.newaxis] + tau2)
    est = (weight * effects).sum(0) / weight.sum(0)
    se = 1 / np.sqrt(weight.sum(0))
    maps = {"z": est / se, "est": est, "se": se, "tau2": tau2}
    maps |= {"p": 2 * norm.sf(np.abs(est / se)), "dof": 0 * est + len(variance) - 1}
    for name, values in maps.items():
        volume = np.zeros(truth.shape, np.float32)
        volume[inside] = values
        nib.save(nib.Nifti1Image(volume, source.affine), folder / f"{name}.nii.gz")


def _wait(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()


def _compare(first: str, second: str) -> None:
    """Draw the compare widget with the z maps of two results."""
    viewer = napari.Viewer()
    viewer.window.resize(1500, 980)
    for folder in (first, second):
        viewer.open(folder, plugin=PLUGIN)
    widget = open_workbench(viewer, "Compare").panel("Compare")
    maps = [one["z"] for one in result_sets(viewer.layers)]
    show_alone(viewer, maps[0])
    widget.compare(maps, "outlines")
    _quieten(viewer)
    window = viewer.window.screenshot(canvas_only=False, flash=False)
    widget.numbers.setCurrentIndex(1)
    widget.mode.value = "side by side"
    _quieten(viewer)
    below = viewer.window.screenshot(canvas_only=False, flash=False)
    # The layer list says nothing here.
    _save(np.hstack([window[:, 376:], below[:, 376:]]), "compare.png")
    viewer.close()


def _grabbed(widget: QWidget) -> np.ndarray:
    """Draw one widget alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "widget.png")
        widget.grab().save(path)
        return np.asarray(Image.open(path).convert("RGB"))


def draw_foci(studies: Studies) -> None:
    """Draw the foci of the sample: a slab with its widget, all of them, one study lit.

    Parameters
    ----------
    studies : Studies
        Those behind the sample.
    """
    viewer = _open(sample_folder(), 1300, 860)
    _quieten(viewer)
    _show_only(viewer, "uncorrected · z")
    foci = show_foci(viewer, studies)
    show_foci_tab(viewer)
    widget = open_workbench(viewer).panel("Views").foci
    viewer.layers.selection.active = foci
    widget.slab.value = 16
    scene.look_at(viewer, 0, 0, 4)
    _settle(viewer)
    window = viewer.window.screenshot(canvas_only=False, flash=False)
    scene.show_plane(viewer, "sagittal")
    scene.look_at(viewer, 4, 0, 4)
    counts = studies.foci["study_id"].value_counts()
    light_up(foci, list(counts.index[:2]))
    lit = _closer(viewer)
    light_up(foci, None)
    scene.show_3d(viewer)
    space = _closer(viewer)
    viewer.close()
    half = window.shape[0] // 2
    views = [Image.fromarray(one).convert("RGB") for one in (lit, space)]
    views = [one.resize((one.width * half // one.height, half)) for one in views]
    width = max(one.width for one in views)
    page = Image.new("RGB", (window.shape[1] + width, 2 * half))
    page.paste(Image.fromarray(window).convert("RGB"), (0, 0))
    for row, one in enumerate(views):
        page.paste(one, (window.shape[1] + (width - one.width) // 2, row * half))
    _save(np.asarray(page), "foci.png")


def _closer(viewer: napari.Viewer) -> np.ndarray:
    """Draw the canvas with less black around the brain."""
    _settle(viewer)
    viewer.scene.camera.zoom *= 1.25
    return viewer.screenshot(canvas_only=True, flash=False)


def _readout() -> None:
    """Draw the anatomical views with what lies in the insula."""
    viewer = _open(sample_folder(), 1400, 860)
    views = open_workbench(viewer, "Views").panel("Views").planes
    _show_only(viewer, "uncorrected · z")
    layer = viewer.layers["uncorrected · z"]
    statmap = map_of(layer)
    assert statmap is not None
    clusters = clusters_at(
        statmap, Threshold(p=0.001, min_voxels=10), atlas=chosen_atlas()
    )
    show_clusters(viewer, layer, clusters)
    views.place.text.value = "x=38, y=4, z=2"
    views.place.go_to(views.place.text.value)
    _quieten(viewer)
    _save(viewer.window.screenshot(canvas_only=False, flash=False), "readout.png")


def _ortho() -> None:
    """Draw the ortho view beside the canvas, with a map and its clusters."""
    viewer = _open(sample_folder(), 1580, 900)
    title = "uncorrected · z"
    _show_only(viewer, title)
    layer = viewer.layers[title]
    show_clusters(viewer, layer, find_clusters(map_of(layer), p=0.001, min_voxels=10))
    show_ortho(viewer, "bottom")
    scene.look_at(viewer, *strongest_place(map_of(layer)))
    _quieten(viewer)
    # The canvas has another size by now.
    _settle(viewer)
    _save(viewer.window.screenshot(canvas_only=False, flash=False), "ortho.png")
    viewer.close()


def _brains() -> None:
    """Draw the brain in 3D, as glass and as a surface."""
    viewer = napari.Viewer()
    viewer.window.resize(1000, 660)
    results = open_results(sample_folder())
    add_maps(viewer, [results["z"]])
    scene.set_anatomical(viewer, "neurological")
    layer = next(one for one in viewer.layers if map_of(one) is results["z"])
    threshold = Threshold(p=0.001, min_voxels=10)
    show_clusters(viewer, layer, clusters_at(results["z"], threshold))
    show_brain(viewer)
    views = [_framed(viewer)]
    for side in ("left", "top"):
        view_from(viewer, side)  # type: ignore[arg-type]
        views.append(_framed(viewer))
    assert results.studies is not None
    foci = show_foci(viewer, results.studies)
    view_obliquely(viewer)
    views.append(_framed(viewer))
    viewer.layers.remove(foci)
    _save(_in_two_rows(views), "brain-3d.png", colors=256)
    show_glass(viewer)
    views = []
    for plane in ("axial", "coronal", "sagittal"):
        scene.show_plane(viewer, plane)  # type: ignore[arg-type]
        _settle(viewer)
        views.append(viewer.screenshot(canvas_only=True, flash=False))
    _save(np.hstack(views)[::2, ::2], "glass.png")
    hide_glass(viewer)
    views = []
    for shape in ("pial", "inflated"):
        show_cortex(viewer, layer, shape=shape)  # type: ignore[arg-type]
        views.append(_framed(viewer))
        view_from(viewer, "right")
        views.append(_framed(viewer))
        scene.show_plane(viewer, "axial")
    _save(_in_two_rows(views), "surface.png")
    viewer.close()


def _framed(viewer: napari.Viewer) -> np.ndarray:
    """Photograph a view in 3D as it is."""
    _wait(0.5)
    return viewer.screenshot(canvas_only=True, flash=False)


def _in_two_rows(views: list[np.ndarray]) -> np.ndarray:
    height, width = (min(view.shape[axis] for view in views) for axis in range(2))
    views = [view[:height, :width] for view in views]
    half = len(views) // 2
    return np.vstack([np.hstack(views[:half]), np.hstack(views[half:])])


def _busiest_slice(clusters: ClusterSet) -> float:
    """Return the z of the slice with most clusters of both kinds, mm."""
    weak = np.flatnonzero(~clusters.surviving) + 1
    strong = np.flatnonzero(clusters.surviving) + 1
    slices = np.moveaxis(clusters.labels, 2, 0)
    counts = [
        min(len(np.intersect1d(one, weak)), 2)
        + min(len(np.intersect1d(one, strong)), 2)
        for one in slices
    ]
    k = int(np.argmax(counts))
    return float(clusters.statmap.affine[2, 2] * k + clusters.statmap.affine[2, 3])


def _open(folder: str | Path, width: int, height: int) -> napari.Viewer:
    """Open a result in a window of its own."""
    viewer = napari.Viewer()
    viewer.window.resize(width, height)
    viewer.open(folder, plugin=PLUGIN)
    return viewer


def _first_cluster(viewer: napari.Viewer) -> ClusterWidget:
    """Go to the first cluster, and unfold what is known of it."""
    table: ClusterWidget = open_workbench(viewer, "Clusters").panel("Clusters").table
    _quieten(viewer)
    table.go_next()
    table.drawer.click()
    return table


def _show_only(viewer: napari.Viewer, title: str) -> None:
    (results,) = result_sets(viewer.layers)
    statmap = next(one for one in results.maps.values() if one.short_title == title)
    show_alone(viewer, statmap)
    scene.look_at(viewer, *strongest_place(statmap))


def _canvas(viewer: napari.Viewer) -> np.ndarray:
    _settle(viewer)
    return viewer.screenshot(canvas_only=True, flash=False)


def _quieten(viewer: napari.Viewer) -> None:
    """Take notifications away: without a window manager they may stay for ever."""
    _settle(viewer, seconds=1.5)
    for widget in QApplication.allWidgets():
        if type(widget).__name__ == "NapariQtNotification":
            widget.close()
    _settle(viewer)


def _settle(viewer: napari.Viewer, seconds: float = 0.5) -> None:
    viewer.reset_view()
    _wait(seconds)


def _save(picture: np.ndarray, name: str, *, colors: int = 0) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(picture).convert("RGB")
    if colors:
        # The default forgets small patches, as the colors of clusters.
        image = image.quantize(colors, method=Image.Quantize.MAXCOVERAGE)
    image.save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    # Two results of the same studies by two methods are not in the package.
    _compare(*sys.argv[1:]) if len(sys.argv) == 3 else main()
