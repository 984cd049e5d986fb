"""Clusters as nilearn finds them, except where it errs; and what the table says."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nilearn.datasets import load_sample_motor_activation_image
from nilearn.image import resample_img
from nilearn.reporting import get_clusters_table
from scipy import ndimage, stats

from napari_neurosynth_results import ResultsError, find_clusters, open_results
from napari_neurosynth_results.maps.entry import MapFile
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.statistics.clusters.cluster_set import (
    ClusterSet,
)
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

Opened = Callable[..., ResultSet]
Array = npt.NDArray[Any]

COLUMNS = [
    *("label", "name", "sign", "n_voxels", "volume_mm3"),
    *("peak_x", "peak_y", "peak_z", "peak_value", "peak_p", "peak_logp", "mean_value"),
    *("center_x", "center_y", "center_z", "region", "region_percent"),
    *("significant", "cluster_p", "cluster_p_low", "cluster_p_high", "borderline"),
    *("tdp", "tdp_percent", "region_mm"),
]
WORDS = {"name", "region"}
YES_NO = {"significant", "borderline"}
WHOLE = {"label", "sign", "n_voxels"}
TWO_MM = np.diag([2.0, 2.0, 2.0, 1.0])
ODD = np.array([[1.5, 0, 0, -20], [0, 2, 0, -30.25], [0, 0, 3.7, 7], [0, 0, 0, 1]])


class _Voxels:
    def __init__(self, data: Array) -> None:
        self.data = data

    def read(self) -> tuple[Array, tuple[str, ...]]:
        return np.array(self.data, np.float32, order="F"), ()


def lone(data: Array, affine: Array = TWO_MM, kind: MapKind = MapKind.Z) -> StatMap:
    """Make a map of unknown origin, with nothing beside it."""
    grid = Grid(data.shape, np.asarray(affine, float))
    file = MapFile("map", None, kind, grid, "", _Voxels(data))
    return ResultSet([file], title="", source="")["map"]


def line(*values: float) -> Array:
    """Return a map of one row of voxels, with nothing beside it."""
    data = np.zeros((len(values), 3, 3), np.float32)
    data[:, 1, 1] = values
    return data


def nilearn(
    data: Array, height: float, extent: int = 0, affine: Array = TWO_MM, **more: Any
) -> tuple[Any, list[Array]]:
    """Return nilearn's table and label volumes."""
    image = nib.Nifti1Image(np.asarray(data, np.float32), affine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table, maps = get_clusters_table(
            image, height, extent, return_label_maps=True, **more
        )
    return table, [np.asarray(m.dataobj).astype(int) for m in maps]


# --- as nilearn -------------------------------------------------------------------


def check_parity(
    data: Array, height: float, extent: int, affine: Array, two_sided: bool
) -> ClusterSet:
    """Compare clusters, sizes, peak values and untied peak places with nilearn's."""
    table, maps = nilearn(data, height, extent, affine, two_sided=two_sided)
    ours = find_clusters(
        lone(data, affine),
        value=height,
        min_voxels=max(extent, 1),
        tail="both" if two_sided else "positive",
        strict=True,
    )
    labels = ours.labels
    theirs = sum((m + (m > 0) * 10_000 * i for i, m in enumerate(maps)), 0 * labels)
    # The same sets of voxels: one label of ours for each of theirs, and the reverse.
    pairs = np.unique(np.column_stack([labels.ravel(), theirs.ravel()]), axis=0)
    pairs = pairs[1:] if not pairs[0].any() else pairs
    assert pairs.all()
    assert len(pairs) == len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(ours)
    if not len(ours):
        return ours
    assert np.array_equal(np.bincount(labels.ravel())[1:], ours.table.n_voxels)
    main = table[[not str(name)[-1].isalpha() for name in table["Cluster ID"]]]
    places = main[["X", "Y", "Z"]].to_numpy(float)
    voxels = np.rint((places - affine[:3, 3]) / np.diag(affine)[:3]).astype(int)
    rows = ours.table.set_index("label").loc[labels[tuple(voxels.T)]]
    assert sorted(rows.index) == sorted(ours.table.label)
    assert np.array_equal(main["Peak Stat"].to_numpy(np.float32), rows.peak_value)
    volume = main["Cluster Size (mm3)"].astype(float)
    assert np.array_equal(volume, np.trunc(rows.volume_mm3))
    for label, peak, place in zip(
        rows.index, rows.peak_value, voxels.tolist(), strict=True
    ):
        _, plateaus = ndimage.label((labels == label) & (data == np.float32(peak)))
        if plateaus == 1:
            row = rows.loc[label, ["peak_x", "peak_y", "peak_z"]].to_numpy(float)
            assert np.allclose(row, affine[:3, :3] @ place + affine[:3, 3])
    return ours


LEVELS = st.sampled_from([0, 0, 0, 0.5, 1, 1.5, 2, 2.5, 3, -1, -1.5, -2, -3])
SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=6)
TIED = hnp.arrays(np.float32, SHAPES, elements=LEVELS, fill=st.just(0))
DENSE = hnp.arrays(np.float32, SHAPES, elements=LEVELS, fill=st.nothing())


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    data=TIED | DENSE,
    height=st.sampled_from([0.25, 0.75, 1.25]),
    extent=st.integers(0, 4),
    two_sided=st.booleans(),
)
def test_small_maps_as_nilearn(
    data: Array, height: float, extent: int, two_sided: bool
) -> None:
    # nilearn raises IndexError when a sign leaves no background.
    assume((data < height).any() and (data > -height).any())
    check_parity(data, height, extent, TWO_MM, two_sided)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(data=TIED, height=st.sampled_from([0.5, 1.0, 1.5]))
def test_voxels_at_the_height_as_nilearn(data: Array, height: float) -> None:
    assume((data < height).any() and (data > -height).any())
    check_parity(data, height, 0, TWO_MM, True)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), side=st.integers(3, 12))
def test_untied_maps_as_nilearn(seed: int, side: int) -> None:
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(side, side + 1, side + 2)).astype(np.float32)
    check_parity(data, 0.8, 2, ODD, True)


@pytest.fixture(scope="session")
def motor() -> dict[int, tuple[Array, Array]]:
    """Return nilearn's motor map, voxels and affine, at 3 and at 2 mm."""
    image = load_sample_motor_activation_image()
    loaded = nib.load(image) if isinstance(image, str) else image
    fine = resample_img(loaded, np.diag([2.0, 2.0, 2.0]), force_resample=True)
    found = {}
    for size, one in ((3, nib.as_closest_canonical(loaded)), (2, fine)):
        data = np.nan_to_num(one.get_fdata(dtype=np.float32))
        found[size] = data.reshape(data.shape[:3]), one.affine
    return found


@pytest.mark.slow
@pytest.mark.parametrize("height", [2.3, 3.1])
def test_the_motor_map_as_nilearn(
    motor: dict[int, tuple[Array, Array]], height: float
) -> None:
    data, affine = motor[3]
    assert len(check_parity(data, height, 10, affine, True)) > 5


@pytest.mark.slow
def test_the_motor_map_at_2_mm_as_nilearn(
    motor: dict[int, tuple[Array, Array]],
) -> None:
    data, affine = motor[2]
    assert len(check_parity(data, 3.1, 10, affine, True)) > 5


@pytest.mark.slow
@pytest.mark.parametrize("height", [2.3, 3.1])
def test_the_sample_as_nilearn(height: float) -> None:
    z = open_results(sample_folder())["z"]
    ours = check_parity(z.data, height, 10, z.affine, False)
    assert len(ours) > 5
    again = find_clusters(z, value=height, min_voxels=10, strict=True)
    assert np.array_equal(ours.labels, again.labels)


def test_a_plateau_around_a_hollow_has_its_peak_on_itself() -> None:
    data = np.zeros((12, 12, 3), np.float32)
    data[6:11, 6:11, 1] = 3
    data[7:11, 7:10, 1] = 1
    found = check_parity(data, 0.5, 0, TWO_MM, False)
    assert found.peak_voxels == [(6, 8, 1)]


# --- not as nilearn ---------------------------------------------------------------
# Each shows nilearn's answer first: when it changes, so may ours.


def test_sub_peaks_that_were_removed_stay_removed() -> None:
    data = line(0, 3, 1, 1, 5, *[1] * 11, 4, 1, 0)
    affine = np.diag([1.0, 1, 1, 1])
    table, _ = nilearn(data, 0.5, affine=affine)
    assert table.X.tolist() == [4, 16, 1, 10]
    ours = find_clusters(lone(data, affine), value=0.5)
    assert ours.peaks.peak_x.tolist() == [4, 16]


def test_extent_and_height_count_the_same_voxels() -> None:
    data = line(0, *[2] * 8, 2.5, 0)
    table, maps = nilearn(data, 2, 9)
    assert (len(table), (maps[0] > 0).sum()) == (1, 1)
    inclusive = find_clusters(lone(data), value=2, min_voxels=9)
    assert inclusive.table.n_voxels.tolist() == [9]
    assert len(find_clusters(lone(data), value=2, min_voxels=9, strict=True)) == 0


def test_ids_are_unique_over_both_signs() -> None:
    data = line(0, 5, *[1] * 6, 4, 0, 3, 0, -3, 0, -5, 0)
    table, maps = nilearn(data, 0.5, two_sided=True)
    assert [str(i) for i in table["Cluster ID"]] == ["1", "1a", "2", "4", "5"]
    assert [m.max() for m in maps] == [2, 2]
    ours = find_clusters(lone(data), value=0.5, tail="both")
    assert ours.table.label.tolist() == [1, 2, 3, 4]
    assert ours.table.peak_value.tolist() == [5, 3, -5, -3]
    assert ours.labels[[1, 10, 14, 12], 1, 1].tolist() == [1, 2, 3, 4]


def test_one_negative_side_is_negative_and_strongest_first() -> None:
    data = line(0, -3, 0, -5, 0)
    table, _ = nilearn(data, -1)
    assert table["Peak Stat"].tolist() == [3, 5]
    ours = find_clusters(lone(data), value=1, tail="negative")
    assert ours.table.peak_value.tolist() == [-5, -3]
    assert ours.table.sign.tolist() == [-1, -1]


def test_volume_is_not_truncated() -> None:
    affine = np.diag([1.5, 1.5, 1.5, 1])
    table, _ = nilearn(line(0, 2, 0), 1, affine=affine)
    assert table["Cluster Size (mm3)"].tolist() == [3]
    ours = find_clusters(lone(line(0, 2, 0), affine), value=1)
    assert ours.table.volume_mm3.tolist() == [3.375]


def test_no_background_is_no_error() -> None:
    data = np.full((3, 3, 3), 2, np.float32)
    with pytest.raises(IndexError):
        nilearn(data, 1)
    assert find_clusters(lone(data), value=1).table.n_voxels.tolist() == [27]


def test_infinity_is_the_strongest() -> None:
    data = line(0, 2, np.inf, 3, 0)
    _, maps = nilearn(data, 1)
    assert (maps[0] > 0).sum() == 2
    table = find_clusters(lone(data), value=1).table
    assert table.n_voxels.tolist() == [3]
    assert table.peak_value.tolist() == [np.inf]
    assert table.peak_logp.tolist() == [np.inf]
    assert table.center_x[0] == pytest.approx(4)


# --- the table --------------------------------------------------------------------


def test_columns_and_dtypes_even_without_clusters() -> None:
    statmap = lone(line(0, 3, 0, -4, 0))
    for height in (2, 9):
        found = find_clusters(statmap, value=height, tail="both")
        assert list(found.table.columns) == COLUMNS
        for column, dtype in found.table.dtypes.items():
            if column in WORDS:
                assert dtype.kind in "OTU", column
                assert all(isinstance(v, str) for v in found.table[column])
            else:
                kind = "i" if column in WHOLE else "b" if column in YES_NO else "f"
                assert dtype.kind == kind, column
        expected = ["label", "rank", *(c for c in COLUMNS if c.startswith("peak_"))]
        expected += ["region", "region_mm"]
        assert list(found.peaks.columns) == expected
        assert found.peaks["rank"].dtype.kind == "i"
        assert len(found) == len(found.table) == (2 if height == 2 else 0)


def test_columns_do_not_share_their_numbers() -> None:
    table = find_clusters(lone(line(0, 3, 0, -4, 0)), value=2, tail="both").table
    arrays = [table[column].to_numpy() for column in table if column not in WORDS]
    for one, other in combinations(arrays, 2):
        assert not np.shares_memory(one, other)


def test_every_number_of_the_table(rng: np.random.Generator) -> None:
    data = ndimage.gaussian_filter(rng.normal(size=(12, 13, 11)), 1) * 10
    data = data.astype(np.float32)
    found = find_clusters(lone(data, ODD), value=1.5, tail="both", min_voxels=3)
    assert set(found.table.sign) == {1, -1}
    for row in found.table.itertuples():
        inside = found.labels == row.label
        values = data[inside].astype(float)
        peak = values[np.abs(values).argmax()]
        place = ODD[:3, :3] @ np.argwhere(inside & (data == peak))[0] + ODD[:3, 3]
        center = np.average(np.argwhere(inside), axis=0, weights=np.abs(values))
        assert (row.peak_x, row.peak_y, row.peak_z) == pytest.approx(tuple(place))
        assert (row.center_x, row.center_y, row.center_z) == pytest.approx(
            tuple(ODD[:3, :3] @ center + ODD[:3, 3])
        )
        assert row.sign == np.sign(peak)
        assert row.n_voxels == values.size >= 3
        assert row.volume_mm3 == pytest.approx(values.size * 1.5 * 2 * 3.7)
        assert row.peak_value == peak
        assert row.mean_value == pytest.approx(values.mean())
        p = 2 * stats.norm.sf(abs(peak))
        assert row.peak_p == pytest.approx(p)
        assert row.peak_logp == pytest.approx(-math.log10(p))
        assert row.significant is pd.NA
        assert np.isnan([row.cluster_p, row.cluster_p_low, row.cluster_p_high]).all()
        assert not row.borderline
        assert (row.region, row.name) == ("", f"cluster {row.label}")


def test_a_peaks_p_counts_like_the_threshold() -> None:
    statmap = lone(line(0, 3, 0, -4, 0))
    one = find_clusters(statmap, p=0.01, tail="positive").table
    assert one.peak_p[0] == pytest.approx(stats.norm.sf(3))
    negative = find_clusters(statmap, p=0.01, tail="negative").table
    assert negative.peak_p[0] == pytest.approx(stats.norm.sf(4))
    both = find_clusters(statmap, p=0.01, tail="both").table
    assert both.peak_p.tolist() == pytest.approx([2 * stats.norm.sf(x) for x in (3, 4)])


def test_peaks_begin_with_the_peak_of_each_cluster() -> None:
    data = line(0, 5, *[1] * 6, 4, 0, 3, 0)
    found = find_clusters(lone(data), value=0.5)
    assert found.peaks.label.tolist() == [1, 1, 2]
    assert found.peaks["rank"].tolist() == [0, 1, 0]
    assert found.peaks.peak_value.tolist() == [5, 4, 3]
    first = found.peaks[found.peaks["rank"] == 0].reset_index(drop=True)
    for column in ("peak_x", "peak_y", "peak_z", "peak_value", "peak_p", "peak_logp"):
        assert first[column].equals(found.table[column]), column
    alone = find_clusters(lone(data), value=0.5, sub_peaks=0)
    assert alone.peaks["rank"].tolist() == [0, 0]


def test_small_p_is_strong(opened: Opened) -> None:
    p = np.zeros((8, 9, 8))
    p[1:7, 1:8, 1:7] = 0.5
    p[2, 2, 2:5] = 0.01, 0.001, 0.02
    p[5, 5, 5] = 0.04
    table = find_clusters(opened({"p": p})["p"], p=0.05).table
    assert table.peak_value.tolist() == pytest.approx([0.001, 0.04])
    assert table.peak_p.tolist() == pytest.approx([0.001, 0.04])
    assert table.mean_value.tolist() == pytest.approx([0.031 / 3, 0.04])
    assert table.sign.tolist() == [1, 1]


def test_p_that_underflows_is_told_by_its_logarithm() -> None:
    table = find_clusters(lone(line(0, 40, 0)), value=3, tail="positive").table
    assert table.peak_p[0] == 0
    assert table.peak_logp[0] == pytest.approx(804.608 / math.log(10), rel=1e-5)


def test_a_statistic_has_the_p_of_its_sibling_or_none(opened: Opened) -> None:
    stat, p = np.zeros((8, 9, 8)), np.zeros((8, 9, 8))
    stat[2, 2, 2], p[2, 2, 2] = 0.3, 0.001
    with_p = find_clusters(opened({"stat": stat, "p": p})["stat"], value=0.1).table
    assert with_p.peak_p[0] == pytest.approx(0.001)
    without = find_clusters(opened({"stat": stat})["stat"], value=0.1).table
    assert np.isnan([without.peak_p[0], without.peak_logp[0]]).all()


def test_the_sentence_says_what_was_done() -> None:
    found = find_clusters(lone(line(0, 3, 3, 0, -4, 0)), value=2, min_voxels=2)
    assert str(found) == (
        "|z| >= 2 (p <= .0455, two-tailed, a guess), extent >= 2 voxels (16 mm3), "
        "6-connected: 1 cluster, 2 voxels, 0.0 cm3"
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"connectivity": 8}, "6, 18 or 26"),
        ({"min_voxels": 0}, "a whole number from 1"),
        ({"min_voxels": 2.5}, "a whole number from 1"),
        ({"min_voxels": float("nan")}, "a whole number from 1"),
        ({"min_mm3": 0.0}, "above 0"),
        ({"min_mm3": math.nan}, "above 0"),
        ({"min_mm3": 8.0, "min_voxels": 2}, "not both"),
        ({"sub_peaks": -1}, "numbers from 0"),
        ({"peak_distance": -1.0}, "numbers from 0"),
        ({"peak_distance": float("nan")}, "numbers from 0"),
        ({"mask": np.ones((2, 2, 2), bool)}, "resample the mask"),
        ({"mask": np.ones((3, 3, 3), int)}, "not bool"),
        ({"atlas": "no-such"}, "neither a file nor an atlas"),
        ({"dof": 12.0}, "for t, chi2 and F"),
        ({"fdr": "BY"}, "give q with it"),
    ],
)
def test_options_that_mean_nothing(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ResultsError, match=says):
        find_clusters(lone(line(0, 3, 0)), value=2, **options)


@pytest.fixture
def lone_t(tmp_path: Path) -> StatMap:
    """Return a t map of nobody's test, whose header states 18 degrees of freedom."""
    rng = np.random.default_rng(5)
    values = (rng.standard_t(18, (8, 9, 8)) * 2).astype(np.float32)
    affine = np.diag([20.0, 20, 20, 1])
    affine[:3, 3] = -70, -110, -60
    image = nib.Nifti1Image(values, affine)
    image.header["descrip"] = b"SPM{T_[18.0]} - contrast 1: pain > rest"
    image.to_filename(tmp_path / "spmT_0001.nii")
    return open_results(tmp_path / "spmT_0001.nii")["spmT_0001"]


@pytest.mark.parametrize(
    ("tail", "factor", "words"),
    [
        ("positive", 1, "one-tailed"),
        ("negative", 1, "one-tailed"),
        ("both", 2, "two-tailed"),
    ],
)
def test_a_lone_t_counts_p_as_it_was_asked(
    lone_t: StatMap, tail: str, factor: int, words: str
) -> None:
    t = lone_t.data.astype(float)
    side = {"positive": t > 0, "negative": t < 0, "both": t != 0}[tail]
    expected = side & (factor * stats.t.sf(np.abs(t), 18) <= 0.01)
    found = find_clusters(lone_t, p=0.01, tail=tail)
    assert np.array_equal(found.labels > 0, expected)
    assert 0 < expected.sum() < side.sum()
    height = stats.t.isf(0.01 / factor, 18)
    told = f">= {height:.3g} (p <= .01, {words}, 18 degrees of freedom)"
    assert told in str(found.threshold)
    p = factor * stats.t.sf(np.abs(found.table.peak_value), 18)
    assert found.table.peak_p.to_numpy() == pytest.approx(p)
    everywhere = np.ones(t.shape, bool)
    n = find_clusters(lone_t, bonferroni=0.05, tail=tail, mask=everywhere)
    cut = side & (factor * stats.t.sf(np.abs(t), 18) <= 0.05 / t.size)
    assert np.array_equal(n.labels > 0, cut)


def test_a_height_on_a_lone_t_says_its_p(lone_t: StatMap) -> None:
    found = find_clusters(lone_t, value=4.0, tail="positive")
    assert f"(p <= {stats.t.sf(4, 18):.3g}".replace("0.", ".", 1) in str(found)


def test_a_lone_t_without_degrees_of_freedom_has_heights_but_no_p(
    lone_t: StatMap, tmp_path: Path
) -> None:
    image = nib.Nifti1Image(np.asarray(lone_t.data), lone_t.affine)
    image.to_filename(tmp_path / "spmT_0002.nii")
    t = open_results(tmp_path / "spmT_0002.nii")["spmT_0002"]
    found = find_clusters(t, value=4.0)
    assert len(found) > 0
    assert found.table.peak_p.isna().all()
    with pytest.raises(ResultsError, match="degrees of freedom"):
        find_clusters(t, p=0.01)
    stated = find_clusters(t, p=0.01, dof=18)
    header = find_clusters(lone_t, p=0.01)
    assert np.array_equal(stated.labels, header.labels)
    assert stated.table.equals(header.table)
    assert str(stated) == str(header)
    # What is stated counts, not the header.
    other = find_clusters(lone_t, p=0.01, dof=4)
    assert other.threshold.height == pytest.approx(stats.t.isf(0.005, 4))


def test_peaks_of_f_and_chi2_have_a_p_by_their_degrees_of_freedom() -> None:
    f = find_clusters(lone(line(0, 9, 0), kind=MapKind.F), value=5, dof=(2, 30))
    assert f.table.peak_p.tolist() == pytest.approx([stats.f.sf(9, 2, 30)])
    assert str(f.threshold) == "F >= 5 (p <= .0134, 2 and 30 degrees of freedom)"
    chi2 = find_clusters(lone(line(0, 2e4, 0), kind=MapKind.CHI2), p=0.01, dof=1)
    assert chi2.table.peak_p.tolist() == [0]
    z = -stats.norm.logsf(math.sqrt(2e4)) - math.log(2)
    assert chi2.table.peak_logp.tolist() == pytest.approx([z / math.log(10)])


@pytest.mark.parametrize("atlas", ["default", None])
def test_there_is_no_atlas_yet(atlas: str | None) -> None:
    found = find_clusters(lone(line(0, 3, 0)), value=2, atlas=atlas)
    assert found.table.region.tolist() == [""]
    assert found.table.region_percent.isna().all()


def test_the_p_of_a_peak_is_that_of_the_siblings_chosen(opened: Opened) -> None:
    z, p = np.zeros((8, 9, 8)), np.zeros((8, 9, 8))
    z[2, 2, 2], p[2, 2, 2] = 3, 0.002
    p[1:7, 1:8, 1:7] = np.where(p[1:7, 1:8, 1:7] > 0, p[1:7, 1:8, 1:7], 0.5)
    statmap = opened({"z": z, "p": p})["z"]
    assert find_clusters(statmap, p=0.01).table.peak_p[0] == pytest.approx(0.002)
    alone = find_clusters(statmap, p=0.01, siblings={}).table
    assert alone.peak_p[0] == pytest.approx(stats.norm.sf(3))
    other = opened({"p": p / 2})["p"]
    chosen = find_clusters(statmap, p=0.01, siblings={"p": other}).table
    assert chosen.peak_p[0] == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("mm3", "voxels"), [(1, 1), (80, 10), (80.1, 11), (79.9, 10), (5.4, 1), (8.0, 1)]
)
def test_an_extent_in_mm3_is_met_by_whole_voxels(mm3: float, voxels: int) -> None:
    assert Threshold(p=0.05, min_mm3=mm3).voxels_at_least(8.0) == voxels


def test_an_extent_in_mm3_is_inclusive() -> None:
    statmap = lone(line(0, 3, 3, 0, 4, 0))
    assert find_clusters(statmap, value=2, min_mm3=16).table.n_voxels.tolist() == [2]
    assert len(find_clusters(statmap, value=2, min_mm3=16.1)) == 0


def test_a_cluster_keeps_its_name_for_as_long_as_it_keeps_its_peak() -> None:
    statmap = lone(line(0, 3, 4, 0, 5, 0, -6, 0))
    found = find_clusters(statmap, value=2)
    named = found.renamed(2, "insula ")
    assert named.names == ["cluster 1", "insula", "cluster 3"]
    assert named.table.name.tolist() == named.names
    assert named.labels is found.labels
    assert found.names == ["cluster 1", "cluster 2", "cluster 3"]
    higher = replace(find_clusters(statmap, value=3.5), given_names=named.given_names)
    assert higher.names[1] == "insula"
    assert named.renamed(2, " ").names == found.names
    with pytest.raises(ResultsError, match="no cluster 4"):
        found.renamed(4, "nowhere")


def test_the_inner_center_of_a_ring_is_on_the_ring() -> None:
    data = np.zeros((7, 7, 3), np.float32)
    data[1:6, 1:6, 1] = 3
    data[2:5, 2:5, 1] = 0
    data[6, 6, 2] = -5
    found = find_clusters(lone(data), value=2)
    center = found.table[["center_x", "center_y", "center_z"]].to_numpy()[0]
    assert center.tolist() == [6, 6, 2]
    # The four nearest are equally far: the first in C order.
    assert found.inner_centers.tolist() == [[2, 6, 2], [12, 12, 4]]


def test_clusters_by_value_need_no_sibling_that_can_be_read(
    write: Callable[..., Path], rng: np.random.Generator
) -> None:
    z = rng.normal(0, 2, (8, 9, 8)).astype(np.float32)
    folder = write({"z": z, "p": 2 * stats.norm.sf(np.abs(z))})
    results = open_results(folder)
    assert results["z"].tail is Tail.TWO
    (folder / "p.nii.gz").write_bytes(b"no image any more")
    results.release()
    found = find_clusters(results["z"], value=3)
    assert len(found) > 0
    assert np.isnan(found.table.peak_p).all()
    assert np.isfinite(found.table.peak_value).all()
    with pytest.raises(ResultsError, match=r"p\.nii\.gz"):
        find_clusters(results["z"], p=0.001)


def test_both_sides_by_p_where_each_direction_was_tested(
    opened: Opened, rng: np.random.Generator
) -> None:
    drawn = rng.normal(0, 2, (8, 9, 8))
    # One-tailed in the direction of the sign, as BalancedALESubtraction writes it.
    p = stats.norm.sf(np.abs(drawn))
    results = opened({"z": drawn, "p": p, "est": drawn * 3})
    assert results["z"].tail is Tail.ONE
    assert results["z"].signed
    both = find_clusters(results["est"], p=0.01, tail="both")
    assert (both.table.sign < 0).any()
    assert np.array_equal(both.labels > 0, p <= 0.01)
    # And refused where only one direction was.
    results = opened({"z": drawn, "p": stats.norm.sf(drawn), "est": drawn * 3})
    with pytest.raises(ResultsError, match="one-tailed"):
        find_clusters(results["est"], p=0.01, tail="both")
