"""Region, values and p at a place: by millimeter, and without reading files anew."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from conftest import AFFINE, SHAPE
from helpers.corrected_maps import BONFERRONI, FDR, MONTE_CARLO, corrected_test
from napari_neurosynth_results import find_clusters, open_results
from napari_neurosynth_results.maps.entry import MapFile
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    describe_clusters,
    rename,
    show_clusters,
)
from napari_neurosynth_results.viewer.clusters.readout import (
    PlaceReader,
    Readout,
    ReadoutRow,
    read_at,
)
from napari_neurosynth_results.viewer.layers import build_layers, map_layer, map_of
from napari_neurosynth_results.viewer.shown_maps import show_alone

PLACE = (38.0, 4.0, 2.0)
LABELS = "label_desc-mass_level-cluster_corr-FWE_method-montecarlo_tail-positive"


def add(viewer: Any, results: ResultSet) -> None:
    """Add all maps, visible."""
    from napari.layers import Layer

    for made in build_layers(results, underlay=True).layers:
        viewer.add_layer(Layer.create(*made))
    for layer in viewer.layers:
        layer.visible = True


def add_map(viewer: Any, results: ResultSet, key: str) -> Any:
    from napari.layers import Layer

    layer, _ = map_layer(results[key], visible=True)
    return viewer.add_layer(Layer.create(*layer))


def row(readout: Readout, title: str) -> ReadoutRow:
    (found,) = (row for row in readout.rows if row.title == title)
    return found


def center(i: float, j: float, k: float) -> tuple[float, float, float]:
    x, y, z = AFFINE[:3, :3] @ (i, j, k) + AFFINE[:3, 3]
    return float(x), float(y), float(z)


# --- the sample -----------------------------------------------------------------------


def test_values_are_the_maps_own_voxels(viewer: Any, sample: ResultSet) -> None:
    add(viewer, sample)
    readout = read_at(viewer, PLACE)
    assert readout.where == "insula R"
    assert readout.place == PLACE
    assert len(readout.rows) == len(sample.maps)
    for statmap in sample.maps.values():
        i, j, k = ((np.array(PLACE) - statmap.affine[:3, 3]) / 2).astype(int)
        found = row(readout, statmap.short_title)
        assert found.value == statmap.data[i, j, k]
        assert found.kind == statmap.kind
    assert row(readout, "uncorrected · z").text == "6.729"
    # The z says what its p map says.
    assert row(readout, "uncorrected · z").p == row(readout, "uncorrected · p").p
    assert row(readout, "uncorrected · p").p == "8.54e-12"
    # So does a statistic, which has no p of its own.
    assert row(readout, "statistic").p == "8.54e-12"
    assert row(readout, sample.maps[LABELS].short_title).p == ""


def test_the_effect_of_an_image_based_map(
    viewer: Any, opened: Callable[..., ResultSet]
) -> None:
    est = np.full(SHAPE, 0.1)
    est[3, 3, 3] = 0.8
    se = np.full(SHAPE, 0.2)
    p = 2 * stats.norm.sf(est / se)
    results = opened({"z": est / se, "p": p, "est": est, "se": se})
    layer = add_map(viewer, results, "z")
    found = row(read_at(viewer, center(3, 3, 3)), layer.name)
    assert found.effect == "effect 0.8 (95 % CI 0.408 to 1.19)"
    outside = row(read_at(viewer, (500.0, 0.0, 0.0)), layer.name)
    assert outside.effect == ""


def test_rows_are_what_is_seen_from_top_to_bottom(
    viewer: Any, sample: ResultSet
) -> None:
    add(viewer, sample)
    maps = [layer for layer in viewer.layers if map_of(layer)]
    maps[0].visible = False
    maps[-1].name = "mine"
    titles = [row.title for row in read_at(viewer, PLACE).rows]
    assert titles == [layer.name for layer in maps[:0:-1]]
    assert titles[0] == "mine"


def test_a_region_nearby_says_how_far_it_is(viewer: Any) -> None:
    near = read_at(viewer, (0.0, 0.0, 0.0))
    assert near.where == f"thalamus R ({near.distance:.2g} mm)"
    assert 0 < near.distance <= 4
    assert near.rows == ()
    assert read_at(viewer, (90.0, 0.0, 0.0)).where == "unlabelled"


def test_outside_of_the_mask_and_of_the_grid(viewer: Any, sample: ResultSet) -> None:
    add(viewer, sample)
    for place in ((88.0, 4.0, 2.0), (240.0, 4.0, 2.0)):
        found = row(read_at(viewer, place), "uncorrected · z")
        assert (found.text, found.p) == ("outside", "")
        assert np.isnan(found.value)
    # A one-tailed z of 0 inside of the mask is a value.
    mask, data = sample["z"].mask, sample["z"].data
    assert mask is not None
    voxel = np.argwhere(mask & (data == 0))[0]
    x, y, z = (sample["z"].affine[:3, :3] @ voxel + sample["z"].affine[:3, 3]).tolist()
    assert row(read_at(viewer, (x, y, z)), "uncorrected · z").text == "0"


@pytest.mark.slow
def test_it_keeps_up_with_the_mouse(viewer: Any, sample: ResultSet) -> None:
    add(viewer, sample)
    reader = PlaceReader(viewer)
    reader.read_at(PLACE)
    # Of the processor, which others may be using too.
    start = time.process_time()
    for x in np.linspace(-60, 60, 50).tolist():
        reader.read_at((x, 4.0, 2.0))
    # Below 0.5 ms each on a laptop.
    assert (time.process_time() - start) / 50 < 0.005


# --- left is left, and mm are mm ------------------------------------------------------


def test_between_two_voxels_it_says_the_one_that_is_seen(
    viewer: Any,
    underlay: Any,
    opened: Callable[..., ResultSet],
    rng: np.random.Generator,
) -> None:
    # Of a logarithm of p nothing is hidden that a layer shows.
    layer = add_map(viewer, opened({"logp": rng.uniform(1, 9, SHAPE)}), "logp")
    for n in range(1, 6):
        x, y, z = center(n + 0.5, n + 0.5, n + 0.5)
        viewer.dims.point = z, y, x
        seen = layer.get_value((z, y, x), world=True)
        assert read_at(viewer, (x, y, z)).rows[0].value == pytest.approx(seen)


def test_left_is_left(viewer: Any, opened: Callable[..., ResultSet]) -> None:
    """One voxel is lit: right, in front, above."""
    z = np.full(SHAPE, 0.5)
    z[6, 7, 5] = 9
    add_map(viewer, opened({"z": z}), "z")
    assert center(6, 7, 5) == (50, 30, 40)
    assert row(read_at(viewer, (50.0, 30.0, 40.0)), "uncorrected · z").value == 9
    for mirrored in ((-50.0, 30.0, 40.0), (50.0, -30.0, 40.0), (50.0, 30.0, -40.0)):
        assert row(read_at(viewer, mirrored), "uncorrected · z").value == 0.5


def test_a_file_that_is_stored_from_right_to_left(
    viewer: Any, opened: Callable[..., ResultSet]
) -> None:
    affine = AFFINE.copy()
    affine[0, 0], affine[0, 3] = -20, 70
    z = np.full(SHAPE, 0.5)
    z[1, 7, 5] = 9
    add_map(viewer, opened({"z": z}, affine=affine), "z")
    assert row(read_at(viewer, (50.0, 30.0, 40.0)), "uncorrected · z").value == 9


def test_each_map_is_asked_on_its_own_grid(
    viewer: Any, opened: Callable[..., ResultSet]
) -> None:
    coarse = np.full(SHAPE, 0.5)
    coarse[6, 7, 5] = 9
    fine_affine = np.diag([5.0, 5, 5, 1])
    fine_affine[:3, 3] = (-73, -108, -61)
    fine = np.full((32, 36, 32), 0.25)
    # The voxel of 5 mm around (52, 32, 39).
    fine[25, 28, 20] = 7
    # Only part of the brain: it ends at x = 20.
    part = np.full((5, 9, 8), 0.75)
    first = opened({"z": coarse})
    second = opened({"z": fine}, affine=fine_affine)
    third = opened({"z": part})
    for n, results in enumerate((first, second, third)):
        add_map(viewer, results, "z").name = str(n)
    inside = read_at(viewer, (52.0, 32.0, 39.0))
    assert [found.value for found in inside.rows[1:]] == [7, 9]
    assert inside.rows[0].text == "outside"
    # Still the voxel of the coarse map, no longer that of the fine one.
    beside = read_at(viewer, (55.0, 32.0, 39.0))
    assert [found.value for found in beside.rows[1:]] == [0.25, 9]
    # Of two voxels that meet in a place it is the even one, which slices show.
    between = read_at(viewer, (60.0, 32.0, 39.0))
    assert between.rows[2].value == 9


def test_nan_is_outside(viewer: Any, opened: Callable[..., ResultSet]) -> None:
    z = np.full(SHAPE, np.nan)
    z[2:6, 2:6, 2:6] = 1.5
    z[4, 4, 4] = np.nan
    add_map(viewer, opened({"z": z}), "z")
    assert read_at(viewer, center(4, 4, 4)).rows[0].text == "outside"
    assert read_at(viewer, center(3, 3, 3)).rows[0].text == "1.5"


def test_a_p_that_underflowed_is_inside_though_another_is_shown(
    viewer: Any, opened: Callable[..., ResultSet], inside: Any
) -> None:
    p, z = np.where(inside, 0.5, 0), np.where(inside, 1.0, 0)
    p[4, 4, 4], z[4, 4, 4] = 0, 14
    add_map(viewer, opened({"p": p, "z": z}), "p")
    found = read_at(viewer, center(4, 4, 4)).rows[0]
    assert (found.text, found.p) == ("0", "<1.18e-38")
    assert read_at(viewer, center(0, 4, 4)).rows[0].text == "outside"


def test_another_space_has_no_regions(
    viewer: Any, opened: Callable[..., ResultSet]
) -> None:
    affine = np.diag([0.2, 0.2, 0.2, 1])
    add_map(viewer, opened({"z": np.ones(SHAPE)}, affine=affine), "z")
    assert read_at(viewer, (0.4, 0.4, 0.4)).where == ""
    # A map in MNI space beside it is what the region is about.
    add_map(viewer, opened({"z": np.ones(SHAPE)}), "z")
    assert read_at(viewer, PLACE).where == "insula R"


def test_labels_are_named(viewer: Any, opened: Callable[..., ResultSet]) -> None:
    labels = np.zeros(SHAPE)
    labels[4, 4, 4], labels[5, 4, 4] = 1, 2
    file = opened({LABELS: labels})[LABELS].file
    assert isinstance(file, MapFile)
    named = replace(file, label_names={1: "hand"})
    add_map(viewer, ResultSet([named], title="", source=""), LABELS)
    at = [read_at(viewer, center(i, 4, 4)).rows[0].text for i in (3, 4, 5)]
    assert at == ["none", "hand", "2"]


# --- clusters -------------------------------------------------------------------------


def clusters_in(viewer: Any, results: ResultSet, **asked: Any) -> tuple[Any, Any]:
    layer = next(one for one in viewer.layers if map_of(one) is results["z"])
    clusters: ClusterSet = find_clusters(results["z"], **asked)
    return show_clusters(viewer, layer, clusters), clusters


def test_the_cluster_at_a_place_is_named(viewer: Any, sample: ResultSet) -> None:
    add(viewer, sample)
    layer, clusters = clusters_in(viewer, sample, p=0.001, min_voxels=100)
    found = read_at(viewer, PLACE).rows[0]
    label = int(found.value)
    assert label > 0
    i, j, k = ((np.array(PLACE) - sample["z"].affine[:3, 3]) / 2).astype(int)
    assert clusters.labels[i, j, k] == label
    assert (found.title, found.kind) == ("uncorrected · z: clusters", "clusters")
    assert found.text == clusters.names[label - 1]
    rename(layer, label, "mine")
    assert read_at(viewer, PLACE).rows[0].text == "mine"
    # Another threshold, other clusters.
    clusters_in(viewer, sample, value=50.0)
    assert read_at(viewer, PLACE).rows[0].text == "none"
    assert read_at(viewer, (240.0, 0.0, 0.0)).rows[0].text == "outside"
    layer.visible = False
    assert read_at(viewer, PLACE).rows[0].kind == "z"


@pytest.mark.slow
def test_while_a_slider_moves_clusters_have_numbers(
    viewer: Any, sample: ResultSet
) -> None:
    """Names cost more than a step of the slider."""
    add(viewer, sample)
    layer = next(one for one in viewer.layers if map_of(one) is sample["z"])
    clusters = find_clusters(sample["z"], value=3.0)
    made = show_clusters(viewer, layer, clusters)
    named = read_at(viewer, PLACE).rows[0].text
    show_clusters(viewer, layer, find_clusters(sample["z"], value=2.9), describe=False)
    found = read_at(viewer, PLACE).rows[0]
    assert found.text == f"cluster {found.value:.0f}"
    describe_clusters(viewer, layer, made)
    assert read_at(viewer, PLACE).rows[0].text == named == "Insula R"


def test_degrees_of_freedom_that_were_stated_state_p(
    viewer: Any, opened: Callable[..., ResultSet]
) -> None:
    t = np.full(SHAPE, 0.5)
    t[4, 4, 4] = 5
    results = opened({"t": t})
    layer = add_map(viewer, results, "t")
    reader = PlaceReader(viewer)
    assert reader.read_at(center(4, 4, 4)).rows[0].p == ""
    show_clusters(viewer, layer, find_clusters(results["t"], p=0.01, dof=20.0))
    p = 2 * stats.t.sf(5, 20)
    assert math.exp(reader.read_at(center(4, 4, 4)).rows[1].log_p) == pytest.approx(p)


# --- files ----------------------------------------------------------------------------


def test_files_are_read_once_and_then_no_more(
    viewer: Any, sample: ResultSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    voxels_of = ResultSet.voxels_of

    def counted(self: ResultSet, statmap: Any) -> Any:
        read.append(statmap.key)
        return voxels_of(self, statmap)

    # Only the z maps: the p of each comes from a file that no layer shows.
    for statmap in sample.maps.values():
        if statmap.kind == "z":
            add_map(viewer, sample, statmap.key)
    reader = PlaceReader(viewer)
    before = reader.read_at(PLACE)
    monkeypatch.setattr(ResultSet, "voxels_of", counted)
    for x in (36.0, 37.0, 38.0):
        sample.release()
        after = reader.read_at((x, 4.0, 2.0))
    assert after == before
    assert len(after.rows) == 4
    assert read == []


def test_a_file_that_is_gone_costs_no_more_than_p(
    viewer: Any, write: Callable[..., Path], inside: Any
) -> None:
    z, logp = np.where(inside, 1.0, 0), np.where(inside, 0.8, 0)
    folder = write({"z": z, "logp": logp})
    results = open_results(folder)
    add_map(viewer, results, "z")
    results.release()
    for path in folder.iterdir():
        path.unlink()
    reader = PlaceReader(viewer)
    found = reader.read_at(center(4, 4, 4)).rows[0]
    assert (found.text, found.p) == ("1", "")


def test_a_p_map_without_its_file_shows_what_the_screen_shows(
    viewer: Any, write: Callable[..., Path], inside: Any
) -> None:
    p, z = np.where(inside, 0.5, 0), np.where(inside, 1.0, 0)
    p[4, 4, 4], p[3, 3, 3], z[4, 4, 4] = 0, 0.01, 14
    folder = write({"p": p, "z": z})
    results = open_results(folder)
    add_map(viewer, results, "p")
    results.release()
    for path in folder.iterdir():
        path.unlink()
    assert read_at(viewer, center(3, 3, 3)).rows[0].text == "0.01"


def test_a_map_on_a_server_is_not_fetched_for_a_readout(
    viewer: Any, opened: Callable[..., ResultSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = opened({"z": np.ones(SHAPE), "logp": np.ones(SHAPE)})
    add_map(viewer, results, "z")
    waiting = type("Waiting", (), {"at_hand": False, "kind": "logp"})()
    monkeypatch.setattr(results, "run_of", lambda statmap: [statmap, waiting])
    fetched: list[Any] = []
    monkeypatch.setattr(results, "fetch", fetched.append)
    results._facts.clear()
    found = read_at(viewer, center(4, 4, 4)).rows[0]
    assert (found.text, found.p, fetched) == ("1", "", [])


@pytest.mark.parametrize(
    ("stem", "symbol"), [(FDR, "q"), (BONFERRONI, "p_FWE"), (MONTE_CARLO, "p_FWE")]
)
def test_q_and_p_fwe_are_called_so(
    viewer: Any,
    opened: Callable[..., ResultSet],
    rng: np.random.Generator,
    stem: str,
    symbol: str,
) -> None:
    maps = corrected_test("two", stem, rng)
    results = opened(maps)
    shown = [results["z"], results[f"z_{stem}"]]
    for statmap in shown:
        add_map(viewer, results, statmap.key)
    voxel = (7, 8, 7)
    x, y, z = (AFFINE[:3, :3] @ voxel + AFFINE[:3, 3]).tolist()
    readout = read_at(viewer, (x, y, z))
    test, corrected = (row(readout, statmap.short_title) for statmap in shown)
    assert float(test.p) == pytest.approx(maps["p"][voxel], rel=5e-3)
    name, number = corrected.p.split()
    assert name == symbol
    assert float(number) == pytest.approx(maps[f"p_{stem}"][voxel], rel=5e-3)
    assert math.exp(corrected.log_p) == pytest.approx(
        maps[f"p_{stem}"][voxel], rel=1e-3
    )


def test_the_p_of_a_lone_map_is_a_guess_until_sides_are_asked_for(
    viewer: Any, opened: Callable[..., ResultSet], rng: np.random.Generator
) -> None:
    z = rng.normal(size=SHAPE)
    z[3:5, 3:5, 3:5] = 4
    results = opened({"mean_zstat": z})
    layer = add_map(viewer, results, "mean_zstat")
    one, two = stats.norm.sf(4), 2 * stats.norm.sf(4)
    found = row(read_at(viewer, center(3, 3, 3)), layer.name)
    assert found.p == "6.33e-05 if two-tailed"
    assert math.exp(found.log_p) == pytest.approx(two)
    for tail, p, text in (
        ("auto", two, "6.33e-05 if two-tailed"),
        ("both", two, "6.33e-05"),
        ("positive", one, "3.17e-05"),
    ):
        clusters = find_clusters(results["mean_zstat"], p=0.01, tail=tail, atlas=None)
        show_clusters(viewer, layer, clusters)
        found = row(read_at(viewer, center(3, 3, 3)), layer.name)
        assert found.p == text
        assert math.exp(found.log_p) == pytest.approx(p)
        # As in the table of clusters.
        assert clusters.table["peak_p"].min() == pytest.approx(p)


def test_a_tested_cluster_is_told_with_the_value_that_is_colored(
    viewer: Any, sample: ResultSet
) -> None:
    """Its own map has one value for the whole cluster, which no color bar shows."""
    tested = sample["z_desc-mass_level-cluster_corr-FWE_method-montecarlo"]
    show_alone(viewer, tested)
    found = row(read_at(viewer, (38, 4, 2)), tested.short_title)
    assert (found.text, found.test, found.p) == ("3.09", "z 6.729", "p_FWE <= .001")
