"""A name is no proof: the values are asked whether they can be what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage, stats

from napari_neurosynth_results.maps.doubts import (
    cluster_level_doubt,
    doubt_of,
    is_thresholded,
)
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.programs import (
    Reading,
    reading_of,
    stated_reading,
)

Array = npt.NDArray[Any]
SHAPE = (12, 14, 12)
RNG = np.random.default_rng(15)
Z = RNG.normal(size=SHAPE).astype(np.float32)
P = RNG.uniform(size=SHAPE).astype(np.float32)
LABELS = np.zeros(SHAPE, np.float32)
LABELS[2:5, 2:5, 2:5], LABELS[7:9, 7:9, 7:9] = 1, 2
NEAR_1 = np.where(P < 0.2, P, 1 - P / 1000).astype(np.float32)


@pytest.mark.parametrize(
    ("stem", "values", "fits"),
    [
        ("pain_p", Z, "z, t or signed logp"),
        ("pain_p", np.abs(Z), "logp, z, t or F"),
        ("pain_p", -np.abs(Z), "the logarithm of p"),
        ("logp", Z, "signed logp"),
        ("spmF_0001", Z, "z, t or signed logp"),
        ("pain_z", LABELS, "label"),
        ("pain_z", (LABELS > 0).astype(np.float32), "a mask"),
        ("tstat1", LABELS, "label"),
        ("one_vox_p_tstat1", NEAR_1, "they fit p"),
        ("vox_tstat_fwep_c1", 1 - NEAR_1, "they fit 1-p"),
        ("stat", Z, "nilearn"),
        ("prob_desc-AgF", Z, "z, t or signed logp"),
        ("pain_pFgA_pf=0.50", np.abs(Z), "logp, z, t or F"),
    ],
)
def test_what_contradicts_a_name(stem: str, values: Array, fits: str) -> None:
    doubt = doubt_of(values, reading_of(stem))
    assert f"holds {reading_of(stem).kind}, but" in doubt
    assert fits in doubt


@pytest.mark.parametrize(
    ("stem", "values"),
    [
        *(("z", Z), ("p", P), ("p", np.ones(SHAPE)), ("logp", np.abs(Z))),
        *(("T_log_p_0001", Z), ("one_vox_p_tstat1", P), ("stat", np.abs(Z))),
        *(("stat_desc-group1MinusGroup2", Z), ("cluster_mask_zstat1", LABELS)),
        *(("vox_tstat_fwep_c1", NEAR_1), ("vox_tstat_uncp_c1", P)),
        *(("cope1", LABELS), ("z", np.zeros(SHAPE)), ("z", np.full(SHAPE, np.nan))),
        *(("z", np.rint(Z * 3)), ("prob_desc-group1", P > 0.5), ("prob", P)),
    ],
)
def test_what_fits_its_name(stem: str, values: Array) -> None:
    assert doubt_of(values.astype(np.float32), reading_of(stem)) == ""


def test_a_signaling_nan_of_broken_bytes_warns_nobody() -> None:
    values = np.random.default_rng(0).normal(size=(9, 9, 9)).astype(np.float32)
    values.view(np.uint32)[0] = 0x7FA00000
    assert doubt_of(values, Reading(MapKind.Z)) == ""


def test_a_user_is_believed_but_for_the_impossible() -> None:
    old = Reading(MapKind.OTHER)
    assert doubt_of(LABELS, stated_reading("z", old)) == ""
    assert "you say that it holds p" in doubt_of(Z, stated_reading("p", old))


def test_a_thresholded_map_is_known_by_its_values() -> None:
    cut = np.where(Z > 1.7, Z, 0).astype(np.float32)
    assert is_thresholded(cut, reading_of("tmap"))
    assert not is_thresholded(Z, reading_of("tmap"))
    assert not is_thresholded(cut, reading_of("logp"))
    assert not is_thresholded(np.where(Z > 1, Z, 0), reading_of("tmap"))


@pytest.mark.parametrize("floor", [0, 0.0125])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_cluster_level_map_that_was_interpolated_is_doubted(
    floor: float, sign: int
) -> None:
    # Two clusters that touch, one of the other sign beside, and one far away.
    whole = np.full((24, 24, 24), floor, np.float32)
    whole[2:8, 2:8, 2:8], whole[8:12, 2:8, 2:8] = 2.6, 1.7
    whole[2:8, 8:11, 2:8], whole[16:21, 16:21, 16:21] = 1.2 * sign, 2.1
    assert cluster_level_doubt(whole) == ""
    assert cluster_level_doubt(np.repeat(whole, 2, axis=0)) == ""
    smooth = ndimage.zoom(whole, 1.5, order=1)
    assert "differ, as after interpolation" in cluster_level_doubt(smooth)
    # Every voxel a value of its own, as what is left above a cutoff.
    assert "interpolation" in cluster_level_doubt(np.where(Z > 0, Z, 0))


def test_crumbs_and_empty_maps_are_not_doubted() -> None:
    assert cluster_level_doubt(np.zeros(SHAPE, np.float32)) == ""
    assert cluster_level_doubt(np.full(SHAPE, np.nan, np.float32)) == ""
    crumbs = np.zeros(SHAPE, np.float32)
    crumbs[::3, ::3, ::3] = RNG.uniform(1, 2, crumbs[::3, ::3, ::3].shape)
    assert cluster_level_doubt(crumbs) == ""


def test_a_p_that_a_spline_resampled_is_doubted() -> None:
    p = np.zeros((30, 30, 30), np.float32)
    p[8:22, 8:22, 8:22] = RNG.uniform(size=(14, 14, 14))
    assert doubt_of(p, reading_of("p")) == ""
    # Nobody masked this one.
    assert doubt_of(RNG.uniform(size=p.shape).astype(np.float32), reading_of("p")) == ""
    strong = stats.norm.sf(RNG.normal(size=p.shape) * 4).astype(np.float32)
    assert doubt_of(strong, reading_of("p")) == ""
    spline = ndimage.zoom(p, 0.7, order=3).clip(0, 1)
    assert np.isin(spline, (0, 1)).mean() < 0.9
    assert "rim of the volume" in doubt_of(spline, reading_of("p"))
    assert doubt_of(spline, stated_reading("p", reading_of("p"))) == ""


def test_a_z_that_is_nowhere_beyond_1_fits_p() -> None:
    for told in (reading_of("pain_z"), reading_of("foo", map_type="T map")):
        assert "they fit p or 1-p" in doubt_of(P, told)
        assert doubt_of(P * 3, told) == ""
        # A few voxels may be weak, and so may be what was corrected.
        assert doubt_of(P[:2], told) == ""
    assert doubt_of(P, reading_of("z_corr-FDR_method-indep")) == ""
