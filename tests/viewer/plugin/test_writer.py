"""Saved layers are what they show: same numbers, same place, right way up."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import npe2
import numpy as np
import pytest
from napari.layers import Image, Labels
from nilearn.image import load_img, resample_img

import napari_neurosynth_results as nnr
from napari_neurosynth_results import ResultsError, ResultSet
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    goes_with_others,
    show_clusters,
)
from napari_neurosynth_results.viewer.layers import (
    map_layer,
    placement_keywords,
    underlay_layer,
)
from napari_neurosynth_results.viewer.plugin.writer import (
    write_image,
    write_labels,
    write_layers,
)
from napari_neurosynth_results.viewer.settings import PLUGIN

Opened = Callable[..., ResultSet]
MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"


def layer_of(results: ResultSet, key: str) -> Any:
    """Return the napari layer that shows a map."""
    data, keywords, kind = map_layer(results[key], visible=True)[0]
    return (Image if kind == "image" else Labels)(data, **keywords)


def save(layer: Any, path: Path) -> Any:
    """Write a layer as napari does, and open the file with nibabel."""
    data, meta, kind = layer.as_layer_data_tuple()
    written = {"image": write_image, "labels": write_labels}[kind](
        str(path), data, meta
    )
    return nib.load(written[0])


@pytest.fixture
def lopsided(opened: Opened, inside: Any, rng: np.random.Generator) -> ResultSet:
    """Return maps of which no mirror image is the same."""
    z = rng.normal(size=inside.shape) * inside
    return opened({"z": z, "logp": np.abs(z), "stat": inside + 0.5 * (z > 1)})


@pytest.mark.parametrize("name", ["z.nii", "z.nii.gz", "Z.NII.GZ"])
def test_a_map_comes_back_as_it_was(
    lopsided: ResultSet, tmp_path: Path, name: str
) -> None:
    z = lopsided["z"]
    image = save(layer_of(lopsided, "z"), tmp_path / name)
    assert image.get_data_dtype() == np.float32
    assert np.array_equal(np.asarray(image.dataobj), z.data)
    assert np.array_equal(image.affine, z.affine)
    back = next(iter(nnr.open_results(tmp_path / name).maps.values()))
    assert np.array_equal(back.data, z.data)
    assert back.kind is z.kind
    assert back.grid.same_as(z.grid)


def test_nilearn_sees_it_the_right_way_up(lopsided: ResultSet, tmp_path: Path) -> None:
    z = lopsided["z"]
    save(layer_of(lopsided, "z"), tmp_path / "z.nii.gz")
    image = load_img(tmp_path / "z.nii.gz")
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    strongest = np.unravel_index(np.argmax(z.data), z.data.shape)
    # The same place in mm has the same value, also on a grid of nilearn's own.
    fine = resample_img(
        image,
        np.diag([10.0, 10.0, 10.0]),
        interpolation="nearest",
        copy_header=True,
        force_resample=True,
    )
    mm = nib.affines.apply_affine(z.affine, strongest)
    voxel = np.round(nib.affines.apply_affine(np.linalg.inv(fine.affine), mm))
    assert fine.get_fdata()[tuple(voxel.astype(int))] == z.data.max()
    assert z.data[::-1][strongest] != z.data.max()


def test_the_header_says_what_the_numbers_are(
    lopsided: ResultSet, tmp_path: Path
) -> None:
    header = save(layer_of(lopsided, "logp"), tmp_path / "a.nii").header
    assert header.get_intent()[0] == "log10 p value"
    assert header.get_intent()[2] == "logp"
    assert header["descrip"].item().decode().startswith("-log10 p, uncorrected")
    assert header.get_xyzt_units()[0] == "mm"
    assert header["sform_code"] == header["qform_code"] == 4
    assert (
        save(layer_of(lopsided, "stat"), tmp_path / "b.nii").header["intent_code"] == 0
    )


def test_degrees_of_freedom_survive(tmp_path: Path, inside: Any) -> None:
    image = nib.Nifti1Image(inside.astype(np.float32), np.diag([20.0, 20, 20, 1]))
    image.header.set_intent("t test", (18,))
    (tmp_path / "in").mkdir()
    nib.save(image, tmp_path / "in" / "contrast.nii")
    results = nnr.open_results(tmp_path / "in")
    assert results["contrast"].dof == 18
    saved = save(layer_of(results, "contrast"), tmp_path / "again.nii")
    assert saved.header.get_intent()[:2] == ("t test", (18.0,))
    assert nnr.open_results(tmp_path / "again.nii")["again"].dof == 18


def test_a_p_that_underflowed_is_saved_as_it_was(
    opened: Opened, inside: Any, tmp_path: Path
) -> None:
    p = np.where(inside, 0.2, 0.0)
    p[2, 3, 4] = 0
    p[2, 3, 5] = 1e-30
    results = opened({"p": p, "stat": inside * 1.0})
    layer = layer_of(results, "p")
    assert layer.data[4, 3, 2] > 0
    image = save(layer, tmp_path / "p.nii.gz")
    assert np.array_equal(np.asarray(image.dataobj), results["p"].data)
    assert np.asarray(image.dataobj)[2, 3, 4] == 0


def test_a_p_that_was_painted_outside_of_the_mask_is_saved(
    opened: Opened, inside: Any, tmp_path: Path
) -> None:
    """There 0 is no value, as it is where p underflowed, but shown as it is."""
    p = np.where(inside, 0.2, 0.0)
    p[2, 3, 4] = 0
    results = opened({"p": p, "stat": inside * 1.0})
    layer = layer_of(results, "p")
    painted = layer.data.copy()
    painted[0, 0, 0] = 0.01
    layer.data = painted
    image = save(layer, tmp_path / "p.nii.gz")
    assert np.asarray(image.dataobj)[0, 0, 0] == np.float32(0.01)
    assert image.header["descrip"].item().startswith(b"edited in napari: p")


def test_what_somebody_changed_is_saved_as_it_is_and_says_so(
    lopsided: ResultSet, tmp_path: Path
) -> None:
    layer = layer_of(lopsided, "z")
    layer.data = np.where(layer.data > 1, layer.data, 0)
    image = save(layer, tmp_path / "z.nii")
    assert np.array_equal(np.asarray(image.dataobj), layer.data.T)
    assert image.header["descrip"].item().startswith(b"edited in napari: z")
    written = write_layers(str(tmp_path / "out"), [layer.as_layer_data_tuple()])
    assert os.path.basename(written[0]) == "uncorrected · z.nii.gz"
    assert json.loads(Path(written[1]).read_text(encoding="utf-8"))["Edited"] is True


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stored", "written"),
    [
        ("float32", "float32"),
        ("float64", "float64"),
        ("float16", "float32"),
        ("uint8", "uint8"),
        ("int16", "int16"),
        ("uint16", "uint16"),
        ("int32", "int32"),
        ("int64", "int16"),
        ("bool", "uint8"),
        (">f8", "float64"),
    ],
)
def test_no_number_of_anybodys_layer_is_changed(
    tmp_path: Path, stored: str, written: str
) -> None:
    data = np.arange(24).reshape(2, 3, 4) % 2 if stored == "bool" else None
    data = np.arange(-300, 300, 25).reshape(2, 3, 4) if data is None else data
    data = (np.abs(data) if "u" in stored else data).astype(stored)
    if stored.endswith(("64", "f8")) and "f" in stored:
        data = data + np.pi
    image = save(Image(data), tmp_path / "a.nii.gz")
    assert image.get_data_dtype() == np.dtype(written)
    assert np.array_equal(np.asarray(image.dataobj), data.T)
    assert image.header["sform_code"] == 2


@pytest.mark.parametrize(
    ("highest", "written"),
    [(255, "uint8"), (256, "int16"), (2**15, "int32"), (2**31, "int64")],
)
def test_labels_take_the_smallest_type(
    tmp_path: Path, highest: int, written: str
) -> None:
    data = np.zeros((2, 3, 4), np.int64)
    data[1, 2, 0] = highest
    image = save(Labels(data, scale=(3, 2, 1)), tmp_path / "a.nii")
    assert image.get_data_dtype() == np.dtype(written)
    assert np.asarray(image.dataobj)[0, 2, 1] == highest
    assert image.header.get_intent()[0] == "label"
    assert np.allclose(image.affine, np.diag([1, 2, 3, 1]))


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_a_turned_layer_keeps_its_place(tmp_path: Path) -> None:
    outer = np.eye(4)
    outer[:3, 3] = 4, 5, 6
    outer[0, 1] = 0.1
    data = np.arange(24.0).reshape(2, 3, 4)
    layer = Image(
        data, scale=(2, -3, 4), translate=(1, 2, 3), rotate=(10, 20, 30), affine=outer
    )
    image = save(layer, tmp_path / "a.nii")
    for index in ((0, 0, 0), (1, 2, 3), (1, 0, 2)):
        z, y, x = layer.data_to_world(index)
        found = nib.affines.apply_affine(image.affine, index[::-1])
        assert np.allclose(found, (x, y, z), atol=1e-5)
        assert np.asarray(image.dataobj)[index[::-1]] == data[index]
    # A quaternion cannot hold the shear, so it says nothing.
    assert image.header["qform_code"] == 0
    assert image.header["sform_code"] == 2


def test_micrometers_become_millimeters(tmp_path: Path) -> None:
    data = np.zeros((200, 300, 400), np.uint8)
    layer = Image(data, scale=(1000, 500, 250), units=("um", "um", "um"))
    image = save(layer, tmp_path / "a.nii.gz")
    assert np.allclose(image.affine, np.diag([0.25, 0.5, 1, 1]))


def test_axes_that_are_named_are_believed(tmp_path: Path) -> None:
    data = np.arange(24).reshape(2, 3, 4).astype(np.int16)
    layer = Image(data, scale=(1, 2, 3), axis_labels=("x", "y", "z"))
    image = save(layer, tmp_path / "a.nii")
    assert np.array_equal(np.asarray(image.dataobj), data)
    assert np.allclose(image.affine, np.diag([1, 2, 3, 1]))


@pytest.mark.parametrize(
    ("shape", "dtype", "why"),
    [
        ((4, 5), "f4", "it has 2 axes"),
        ((2, 3, 4, 5), "f4", "it has 4 axes"),
        ((4, 5, 6, 3), "u1", "color picture"),
    ],
)
def test_what_is_no_volume_is_refused_with_the_reason(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, why: str
) -> None:
    layer = Image(np.zeros(shape, dtype), name="it", rgb=shape[-1] == 3)
    with pytest.raises(ResultsError, match=why):
        save(layer, tmp_path / "a.nii")
    assert not list(tmp_path.iterdir())


def test_numbers_that_readers_do_not_take_are_refused(tmp_path: Path) -> None:
    # napari itself takes them for a moment only.
    with pytest.raises(ResultsError, match=r"complex128 .* Convert it to float64"):
        write_image(str(tmp_path / "a.nii"), np.zeros((2, 3, 4), complex), {})
    assert not list(tmp_path.iterdir())


def test_nothing_is_replaced(lopsided: ResultSet, tmp_path: Path) -> None:
    layer = layer_of(lopsided, "z")
    (tmp_path / "a.nii.gz").write_text("precious", encoding="utf-8")
    for name in ("a.nii.gz", "a"):
        with pytest.raises(ResultsError, match="exists already"):
            save(layer, tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_text(encoding="utf-8") == "precious"
    (tmp_path / "folder").mkdir()
    with pytest.raises(ResultsError, match="exists already"):
        write_layers(str(tmp_path / "folder"), [layer.as_layer_data_tuple()])
    with pytest.raises(ResultsError, match="Choose a name without an extension"):
        write_layers(str(tmp_path / "b.nii"), [layer.as_layer_data_tuple()])
    with pytest.raises(ResultsError, match="cannot be written"):
        save(layer, tmp_path / "absent" / "a.nii")
    assert {path.name for path in tmp_path.iterdir()} >= {"a.nii.gz", "folder"}
    assert not list((tmp_path / "folder").iterdir())


def test_several_layers_make_a_folder_that_opens_as_a_result(
    sample_path: Path, tmp_path: Path
) -> None:
    results = nnr.open_results(sample_path)
    tuples = [layer_of(results, key).as_layer_data_tuple() for key in ("z", "p", MASS)]
    clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=100)
    keywords = {**placement_keywords(clusters.statmap.grid), "name": "z: clusters"}
    labels = Labels(
        clusters.labels.T, **keywords, metadata={"neurosynth_results": clusters}
    )
    tuples += [labels.as_layer_data_tuple(), underlay_layer()]
    written = write_layers(str(tmp_path / "saved"), tuples)
    names = [os.path.basename(path) for path in written]
    assert names[0::2][:4] == ["z.nii.gz", "p.nii.gz", f"{MASS}.nii.gz", "label.nii.gz"]
    assert names[1::2][:2] == ["z.json", "p.json"]
    assert sorted(names) == sorted(os.listdir(tmp_path / "saved"))
    again = nnr.open_results(tmp_path / "saved")
    assert set(again.maps) >= {"z", "p", MASS, "label"}
    assert not again.problems
    # What makes a map what it is has survived: siblings, mask, tail, and so clusters.
    same = nnr.find_clusters(again["z"], p=0.001, min_voxels=100)
    assert np.array_equal(same.labels, clusters.labels)
    assert np.array_equal(again["label"].data, clusters.labels)
    told = json.loads((tmp_path / "saved" / "label.json").read_text(encoding="utf-8"))
    assert told["Labels"]["1"] == clusters.names[0]
    assert told["Threshold"]["Asked"] == 0.001
    assert told["GeneratedBy"][0]["Name"] == PLUGIN


def test_maps_of_two_results_get_the_prefix_that_nimare_has_for_that(
    opened: Opened, inside: Any, tmp_path: Path
) -> None:
    sets = [
        opened({"z": inside * n, "p": inside * 0.5}, name=f"run {n}") for n in (1, 2)
    ]
    tuples = [layer_of(one, key).as_layer_data_tuple() for one in sets for key in "zp"]
    written = write_layers(str(tmp_path / "both"), tuples)
    names = [os.path.basename(path) for path in written[0::2]]
    assert names == [f"run-{n}_{key}.nii.gz" for n in (1, 2) for key in "zp"]
    again = nnr.open_results(tmp_path / "both")
    assert again["run-2_z"].data.max() == 2
    assert list(again.siblings(again["run-2_z"])) == ["p"]


def test_names_of_others_are_safe_and_claim_nothing(tmp_path: Path) -> None:
    names = [
        "../x",
        "z",
        "my_p",
        "a|b",
        "A|B",
        "con",
        "long" * 99,
        "\n",
        "z_level-voxel",
    ]
    data = np.zeros((2, 2, 2), np.uint8)
    tuples = [Image(data, name=name).as_layer_data_tuple() for name in names]
    written = write_layers(str(tmp_path / "out"), tuples)
    assert {os.path.dirname(path) for path in written} == {str(tmp_path / "out")}
    assert len({path.lower() for path in written}) == 2 * len(names)
    assert max(len(os.path.basename(path)) for path in written) <= 130
    again = nnr.open_results(tmp_path / "out")
    assert len(again.maps) == len(names)
    assert {found.name for found in again.maps.values()} == {None}


def test_npe2_finds_the_writers(plugin: Any, tmp_path: Path) -> None:
    data = np.zeros((2, 3, 4), np.uint8)
    image, labels = Image(data, name="im"), Labels(data, name="la")
    one = npe2.write(str(tmp_path / "a.nii"), [image], plugin_name=PLUGIN)
    assert [os.path.basename(path) for path in one] == ["a.nii"]
    other = npe2.write(str(tmp_path / "b"), [labels], plugin_name=PLUGIN)
    assert [os.path.basename(path) for path in other] == ["b.nii.gz"]
    several = npe2.write(str(tmp_path / "c"), [image, labels], plugin_name=PLUGIN)
    assert len(several) == 4
    assert (tmp_path / "c" / "la.nii.gz").exists()


@pytest.mark.viewer
def test_napari_offers_to_save_and_saves(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    sample_path: Path,
    tmp_path: Path,
) -> None:
    from napari.plugins._npe2 import file_extensions_string_for_layers

    viewer = make_napari_viewer()
    layers = viewer.open(sample_path / "z.nii.gz", plugin=PLUGIN)
    offered, _ = file_extensions_string_for_layers([layers[-1]])
    assert offered is not None
    assert "Neurosynth results NIfTI (*.nii.gz *.nii)" in offered
    both, writers = file_extensions_string_for_layers(list(viewer.layers))
    assert both is not None
    assert "Neurosynth results Folder of NIfTI files (*.*)" in both
    assert f"{PLUGIN}.write_layers" in {writer.command for writer in writers}
    viewer.layers.selection = {layers[-1]}
    saved = viewer.layers.save(tmp_path / "z.nii.gz", selected=True, plugin=PLUGIN)
    assert saved == [str(tmp_path / "z.nii.gz")]
    again = nib.load(tmp_path / "z.nii.gz")
    original = nib.load(sample_path / "z.nii.gz")
    assert np.array_equal(again.get_fdata(), original.get_fdata())
    assert np.array_equal(again.affine, original.affine)


@pytest.mark.viewer
def test_the_dialog_of_napari_saves_what_is_selected(
    plugin: Any,
    make_napari_viewer: Callable[..., Any],
    sample_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari._app_model import get_app_model
    from qtpy.QtWidgets import QFileDialog

    kind, typed = "", ""

    def answer(*_: Any, **asked: Any) -> tuple[str, str]:
        offered = asked["filter"].split(";;")
        return str(tmp_path / typed), next(one for one in offered if kind in one)

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    viewer = make_napari_viewer()
    layers = viewer.open(sample_path / "z.nii.gz", plugin=PLUGIN)

    def ask() -> None:
        command = "napari.window.file.save_layers_dialog.selected"
        get_app_model().commands.execute_command(command).result()

    viewer.layers.selection = {layers[-1]}
    kind, typed = "Neurosynth results NIfTI", "typed (p < .05)"
    ask()
    assert os.listdir(tmp_path) == ["typed (p < .05).nii.gz"]
    with pytest.raises(ResultsError, match="exists already"):
        ask()
    viewer.layers.selection = set(viewer.layers)
    kind, typed = "Neurosynth results Folder", "both"
    ask()
    names = {"z.nii.gz", "z.json"}
    assert names < set(os.listdir(tmp_path / "both"))
    own = [one for one in viewer.layers if not goes_with_others(one.metadata)]
    assert len(os.listdir(tmp_path / "both")) == 2 * len(own)


def test_labels_that_somebody_painted_are_no_longer_those_of_the_program(
    opened: Opened, inside: Any, tmp_path: Path
) -> None:
    results = opened({"label_tail-positive": inside * 3.0})
    layer = layer_of(results, "label_tail-positive")
    written = write_layers(str(tmp_path / "a"), [layer.as_layer_data_tuple()])
    assert os.path.basename(written[0]) == "label_tail-positive.nii.gz"
    layer.data[4, 4, 4] = 7
    written = write_layers(str(tmp_path / "b"), [layer.as_layer_data_tuple()])
    assert not os.path.basename(written[0]).startswith("label_")
    image = nib.load(written[0])
    assert np.asarray(image.dataobj)[4, 4, 4] == 7
    assert image.header["descrip"].item().startswith(b"edited in napari")


def test_a_map_whose_file_is_gone_is_saved_from_its_layer(
    lopsided: ResultSet, tmp_path: Path
) -> None:
    layer = layer_of(lopsided, "z")
    whole = lopsided["z"].data.copy()
    os.unlink(lopsided["z"].path)
    lopsided.release()
    image = save(layer, tmp_path / "z.nii")
    # Also what does not survive, and is not seen.
    assert np.isnan(layer.data).any()
    assert np.array_equal(np.asarray(image.dataobj), whole)


def test_what_follows_from_other_layers_is_not_saved_beside_them(
    lopsided: ResultSet, tmp_path: Path
) -> None:
    from napari.components import ViewerModel

    viewer = ViewerModel()
    layer = viewer.add_layer(layer_of(lopsided, "z"))
    clusters = clusters_at(lopsided["z"], Threshold(value=1))
    show_clusters(viewer, layer, clusters, faint=True)
    assert len(viewer.layers) == 4
    tuples = [one.as_layer_data_tuple() for one in viewer.layers]
    written = write_layers(str(tmp_path / "all"), tuples)
    names = [os.path.basename(path) for path in written if path.endswith(".gz")]
    assert names == ["z.nii.gz", "label.nii.gz"]
    # It is not the picture that is saved, whatever is seen of the map.
    image = nib.load(written[0])
    assert np.array_equal(np.asarray(image.dataobj), lopsided["z"].data)


def test_an_axis_may_be_longer_than_nifti_1_can_count(tmp_path: Path) -> None:
    data = np.arange(40_000, dtype=np.uint16).reshape(1, 1, -1)
    image = save(Image(data), tmp_path / "long.nii")
    assert isinstance(image, nib.Nifti2Image)
    assert np.array_equal(np.asarray(image.dataobj).ravel(), data.ravel())
