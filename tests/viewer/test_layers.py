"""Maps become layers that carry their place, their colors and their meaning."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from napari_neurosynth_results import ResultsError, open_results
from napari_neurosynth_results.anatomy import template
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.viewer.layers import (
    METADATA_KEY,
    MOST_LAYERS,
    REASON_KEY,
    UNDERLAY_KEY,
    VOXELS_KEY,
    build_layers,
    map_layer,
    map_of,
    result_sets,
    underlay_layer,
    voxels_behind,
)

Opened = Callable[..., ResultSet]
SHAPE = (8, 9, 8)


@pytest.fixture
def z(rng: np.random.Generator) -> np.ndarray:
    """Return scores of which some survive."""
    data = rng.normal(0, 2.5, SHAPE).astype(np.float32)
    data[0] = 0
    return data


@pytest.mark.slow
def test_layers_are_built_without_napari_or_qt(sample_path: Path) -> None:
    code = f"""
import sys
from napari_neurosynth_results import open_results
from napari_neurosynth_results.viewer.layers import build_layers
opened = build_layers(open_results({str(sample_path)!r}), underlay=True)
print(len(opened.layers))
print(sorted(m for m in ("napari", "qtpy", "PyQt6", "vispy") if m in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["12", "[]"]


# --- place ------------------------------------------------------------------------


def test_voxels_lie_at_their_millimeters(
    opened: Opened, rng: np.random.Generator
) -> None:
    from napari.layers import Layer

    data = rng.normal(size=(7, 8, 9)).astype(np.float32)
    affine = np.diag([-22.0, 24, 20, 1])
    affine[:3, 3] = 66, -100, -70
    results = opened({"z": data}, affine=affine)
    layer = Layer.create(*map_layer(results["z"], visible=True)[0])
    layer.data = voxels_behind(layer).T  # type: ignore[union-attr]
    assert layer.data.shape == (9, 8, 7)
    assert tuple(layer.axis_labels) == ("z", "y", "x")
    assert {str(unit) for unit in layer.units} == {"millimeter"}
    assert (layer.scale > 0).all()
    for i, j, k in [(0, 0, 0), (6, 7, 8), (2, 5, 1)]:
        x, y, z = (affine @ [i, j, k, 1])[:3]
        assert value_at(layer, x, y, z) == data[i, j, k]


def test_the_data_are_a_picture_of_what_survives(opened: Opened, z: np.ndarray) -> None:
    results = opened({"z": z})
    (data, keywords, kind), look = map_layer(results["z"], visible=True)
    assert kind == "image"
    assert data.flags.c_contiguous
    assert look is not None
    kept = np.abs(z.T) >= look.height
    assert np.array_equal(np.isfinite(data), kept)
    assert np.array_equal(data[kept], z.T[kept])
    assert look.n_voxels == kept.sum() > 0
    # The map itself is at hand, and not copied.
    assert np.shares_memory(keywords["metadata"][VOXELS_KEY], results["z"].data)
    assert not np.shares_memory(data, results["z"].data)


def test_the_underlay_lies_where_the_template_does() -> None:
    from napari.layers import Layer

    data, keywords, kind = underlay_layer()
    layer = Layer.create(data, keywords, kind)
    packaged = Path(template.__file__).parent / "data/mni152_t1_1mm.nii.gz"
    image = nib.load(packaged)
    i, j, k = 90, 121, 80
    x, y, z = (image.affine @ [i, j, k, 1])[:3]
    assert np.allclose(layer.data_to_world((k, j, i)), (z, y, x))
    assert layer.data[k, j, i] == np.asarray(image.dataobj)[i, j, k] > 0
    assert {str(unit) for unit in layer.units} == {"millimeter"}
    assert layer.metadata == {UNDERLAY_KEY: True}


# --- one map ----------------------------------------------------------------------


def test_a_layer_knows_its_map_and_the_reason_of_its_threshold(
    opened: Opened, z: np.ndarray
) -> None:
    results = opened({"z": z})
    (_, keywords, _), look = map_layer(results["z"], visible=False)
    assert keywords["metadata"][METADATA_KEY] is results["z"]
    assert look is not None
    assert keywords["metadata"][REASON_KEY] == look.reason
    assert keywords["name"] == "uncorrected · z"
    assert keywords["visible"] is False


def test_a_copied_layer_shares_its_map(opened: Opened, z: np.ndarray) -> None:
    from copy import deepcopy

    from napari.layers import Layer

    results = opened({"z": z})
    layer = Layer.create(*map_layer(results["z"], visible=True)[0])
    copied = deepcopy(layer.metadata)
    assert copied[METADATA_KEY] is results["z"]
    assert map_of(layer) is results["z"]


def test_nothing_survives_is_shown_faintly(opened: Opened, z: np.ndarray) -> None:
    results = opened({"z": z.clip(-1, 1), "stat": np.abs(z)})
    (_, faint, _), look = map_layer(results["z"], visible=True)
    (_, full, _), _ = map_layer(results["stat"], visible=True)
    assert look is not None
    assert not look.survives
    assert faint["opacity"] < full["opacity"] == 1


def test_an_empty_map_has_a_layer_that_says_so(opened: Opened) -> None:
    from napari.layers import Layer

    results = opened({"z": np.zeros(SHAPE), "stat": np.full(SHAPE, np.nan)})
    for statmap in results.maps.values():
        built, look = map_layer(statmap, visible=True)
        assert look is None
        layer = Layer.create(*built)
        assert "nothing to show" in layer.metadata[REASON_KEY]
        # What lies below stays visible.
        assert not opacity(layer).any()


def test_a_p_that_underflowed_can_be_seen(opened: Opened) -> None:
    from napari.layers import Layer

    p, stat = np.zeros((2, *SHAPE), np.float32)
    stat[2:6, 2:6, 2:6], p[2:6, 2:6, 2:6] = 1, 0.5
    p[3, 3, 3], p[2, 2, 2] = 0, 1e-5
    results = opened({"p": p, "stat": stat})
    built, look = map_layer(results["p"], visible=True)
    layer = Layer.create(*built)
    assert look is not None
    assert look.n_voxels == (opacity(layer) > 0).sum() == 2
    # The map itself stays as it was written.
    assert results["p"].data[3, 3, 3] == 0


def test_a_broken_sibling_does_not_take_its_map_along(
    write: Callable[..., Path], z: np.ndarray, rng: np.random.Generator
) -> None:
    folder = write({"z": z, "p": rng.random(SHAPE)})
    results = open_results(folder)
    (folder / "p.nii.gz").write_bytes((folder / "p.nii.gz").read_bytes()[:400])
    opened = build_layers(results, underlay=False)
    assert [statmap.key for statmap in opened.shown] == ["z"]
    assert any("p.nii.gz" in problem for problem in results.problems)
    reason = opened.layers[0][1]["metadata"][REASON_KEY]
    assert reason.startswith("|z| >= ")
    assert "cannot be read" in reason


def test_a_map_that_cannot_be_read_raises(
    write: Callable[..., Path], z: np.ndarray
) -> None:
    folder = write({"z": z})
    results = open_results(folder)
    (folder / "z.nii.gz").unlink()
    with pytest.raises(ResultsError, match="does not exist"):
        map_layer(results["z"], visible=True)


def value_at(layer: Any, x: float, y: float, z: float) -> Any:
    """Return the voxel of a layer at a place in millimeters."""
    where = np.array(layer.world_to_data((z, y, x)))
    assert np.allclose(where, np.rint(where))
    return layer.data[tuple(np.rint(where).astype(int))]


def opacity(layer: Any) -> np.ndarray:
    """Return the opacity that an image layer gives each of its voxels."""
    low, high = layer.contrast_limits
    scaled = (layer.data.astype(float) - low) / (high - low)
    rgba = layer.colormap.map(scaled.ravel())
    return rgba[:, 3].reshape(layer.data.shape)


# --- labels -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [((1, 2, 3), np.uint8), ((2, 7, 255), np.uint8), ((1, 300, 256), np.uint16)],
)
def test_row_i_of_the_features_describes_label_i(
    opened: Opened, labels: tuple[int, ...], dtype: type
) -> None:
    from napari.layers import Layer

    data = np.zeros(SHAPE, np.float32)
    for n, label in enumerate(labels, start=1):
        data[n : n + 2, n, 2] = label
    results = opened({"label_tail-positive": data})
    built, look = map_layer(results["label_tail-positive"], visible=True)
    assert look is None
    layer = Layer.create(*built)
    assert layer.data.dtype == dtype
    assert (layer.data == data.T).all()
    features = layer.features
    assert len(features) == max(labels) + 1
    assert features["n_voxels"][0] == 0
    assert features["cluster"][0] == ""
    for label in labels:
        size = int((data == label).sum())
        row = features.loc[label]
        assert row["cluster"] == str(label)
        assert row["n_voxels"] == size
        assert row["volume_mm3"] == size * 8000
        middle = np.argwhere(data == label).mean(axis=0) * 20 + (-70, -110, -60)
        assert tuple(row[["center_x", "center_y", "center_z"]]) == pytest.approx(middle)
        x, y, z = np.argwhere(data == label)[0] * 20 + (-70, -110, -60)
        assert value_at(layer, x, y, z) == label
    missing = set(range(1, max(labels))) - set(labels)
    assert (features["n_voxels"][sorted(missing)] == 0).all()


def test_labels_beyond_a_table_have_none(opened: Opened) -> None:
    data = np.zeros(SHAPE, np.float32)
    data[1, 1, 1] = 70000
    data[1, 1, 2], data[1, 1, 3] = -3, np.nan
    (labels, keywords, kind), _ = map_layer(opened({"label": data})["label"], visible=1)
    assert kind == "labels"
    assert "features" not in keywords
    assert labels.dtype == np.int32
    assert sorted(np.unique(labels)) == [0, 70000]


def test_the_samples_labels_agree_with_nimares_table(sample_path: Path) -> None:
    results = open_results(sample_path)
    (stem,) = (key for key in results.maps if key.startswith("label"))
    (_, keywords, _), _ = map_layer(results[stem], visible=True)
    (table,) = (results.tables[key] for key in results.tables if "tab-clust" in key)
    sizes = table["Cluster Size (mm3)"].dropna().astype(float)
    ours = [size for size in keywords["features"]["volume_mm3"] if size]
    assert sorted(ours) == sorted(sizes)


# --- several maps -----------------------------------------------------------------


@pytest.mark.parametrize("underlay", [True, False])
@pytest.mark.parametrize("n", [1, 5, 11, 12, 13, 30])
def test_there_are_never_too_many_layers(
    opened: Opened, z: np.ndarray, underlay: bool, n: int
) -> None:
    results = opened({f"stat_desc-c{i:02}": z for i in range(n)})
    first = build_layers(results, underlay=underlay)
    assert len(first.layers) <= MOST_LAYERS
    assert len(first.shown) + len(first.waiting) == n
    assert [*first.shown, *first.waiting] == list(results.maps.values())
    if n + underlay <= MOST_LAYERS:
        assert not first.waiting
    maps = first.layers[1:] if underlay else first.layers
    assert len(maps) == len(first.shown) > 0
    # One is visible: the most interesting, on top.
    assert [keywords["visible"] for _, keywords, _ in maps].count(True) == 1
    _, keywords, _ = maps[-1]
    assert keywords["visible"]
    assert keywords["metadata"][METADATA_KEY] is first.visible is first.shown[0]
    titles = [keywords["name"] for _, keywords, _ in maps]
    assert titles == [statmap.short_title for statmap in first.shown][::-1]
    assert len(set(titles)) == len(titles)
    below = first.layers[0][1]["metadata"]
    assert (UNDERLAY_KEY in below) == underlay


def test_broken_maps_are_skipped_and_told(
    write: Callable[..., Path], z: np.ndarray
) -> None:
    folder = write({"z": z, "t": z, "stat": np.abs(z)})
    results = open_results(folder)
    assert results.problems == ()
    (folder / "z.nii.gz").write_bytes((folder / "z.nii.gz").read_bytes()[:500])
    first = build_layers(results, underlay=True)
    assert [statmap.key for statmap in first.shown] == ["t", "stat"]
    assert not first.waiting
    assert first.visible is results["t"]
    assert len(results.problems) == 1
    assert "z.nii.gz" in results.problems[0]


def test_nothing_to_show_is_no_layer(write: Callable[..., Path], z: np.ndarray) -> None:
    folder = write({"z": z})
    results = open_results(folder)
    (folder / "z.nii.gz").unlink()
    first = build_layers(results, underlay=True)
    assert first.visible is None
    assert first.shown == ()


def test_result_sets_are_listed_once_and_in_order(
    opened: Opened, z: np.ndarray
) -> None:
    from napari.layers import Image, Layer

    one, two = opened({"z": z, "p": z}), opened({"z": z})
    layers = [
        Layer.create(*map_layer(statmap, visible=True)[0])
        for statmap in (two["z"], one["z"], one["p"])
    ]
    stranger = Image(np.zeros((3, 3)), metadata={METADATA_KEY: "not ours"})
    assert map_of(stranger) is None
    assert result_sets([stranger, *layers]) == [two, one]


def test_a_variance_of_0_is_seen_inside_and_not_outside(
    opened: Any, inside: Any
) -> None:
    variance = np.where(inside, 0.25, 0)
    variance[4, 4, 4], variance[3, 3, 3] = 0, 2
    statmap = opened({"tau2": variance, "p": np.where(inside, 0.5, 0)})["tau2"]
    (data, keywords, _), look = map_layer(statmap, visible=True)
    assert look is not None
    assert np.array_equal(np.isnan(data.T), ~inside)
    assert data.T[4, 4, 4] == 0
    assert keywords["contrast_limits"][0] == 0
    assert statmap.data[0, 0, 0] == 0
