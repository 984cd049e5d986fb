"""Files of other programs open at what their names and values say, and no other way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from napari_neurosynth_results import ResultsError, Tail, find_clusters, open_results
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.p_values.significance import Evidence, PSource
from napari_neurosynth_results.statistics.p_values.voxel_p import voxel_p
from napari_neurosynth_results.statistics.thresholds.first_look import (
    FirstLook,
    choose_first_threshold,
    first_look,
)
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.statistics.thresholds.what_can_be_asked import (
    list_presets,
)

Opened = Callable[..., ResultSet]
Array = npt.NDArray[Any]
SHAPE = (16, 17, 16)
AFFINE = np.array([[4.0, 0, 0, -30], [0, 4, 0, -34], [0, 0, 4, -20], [0, 0, 0, 1]])


@pytest.fixture
def t(rng: np.random.Generator) -> Array:
    """Return a t map of 20 degrees of freedom: noise, an effect, and its opposite."""
    t = stats.t.rvs(20, size=SHAPE, random_state=rng)
    t[3:6, 3:6, 3:6] = 6 + rng.uniform(size=(3, 3, 3))
    t[9:11, 9:11, 9:11] = -6 - rng.uniform(size=(2, 2, 2))
    return np.asarray(t)


def looked(statmap: StatMap) -> FirstLook:
    look = first_look(statmap)
    assert look is not None
    return look


def kept(statmap: StatMap, **asked: Any) -> npt.NDArray[np.bool_]:
    return find_clusters(statmap, atlas=None, **asked).labels > 0


@pytest.mark.parametrize("p", [0.001, 0.05])
@pytest.mark.parametrize(
    ("stem", "of_p"),
    [
        ("T_log_p_0001", lambda p: -np.log10(p)),
        ("randomise_vox_p_tstat1", lambda p: 1 - p),
        ("one_vox_p_tstat10", lambda p: 1 - p),
        ("neg_log10_p", lambda p: -np.log10(p)),
        ("p_value", lambda p: p),
        ("contrast-a_stat-p_statmap", lambda p: p),
    ],
)
def test_the_strongest_voxels_are_kept_whatever_p_is_called(
    opened: Opened, t: Array, stem: str, of_p: Callable[[Array], Array], p: float
) -> None:
    true_p = stats.t.sf(t, 20)
    statmap = opened({stem: of_p(true_p)})[stem]
    assert np.array_equal(kept(statmap, p=p), true_p <= p)
    if p == 0.001:
        assert looked(statmap).n_voxels == (true_p <= p).sum()


def test_each_side_of_a_signed_logp_has_its_own_p(opened: Opened, t: Array) -> None:
    one_sided = stats.t.sf(np.abs(t), 20)
    stem = "TFCE_log_p_0001"
    statmap = opened({stem: -np.log10(one_sided) * np.sign(t)})[stem]
    assert (statmap.tail, statmap.signed) == (Tail.ONE, True)
    clusters = find_clusters(statmap, p=0.001, atlas=None)
    assert np.array_equal(clusters.labels > 0, one_sided <= 0.001)
    assert set(clusters.table.sign) == {1, -1}
    assert clusters.table.peak_p[0] == pytest.approx(one_sided[t > 0].min(), rel=1e-4)


@pytest.mark.parametrize(
    "stem", ["randomise_tfce_corrp_tstat1", "randomise_vox_corrp_fstat1"]
)
def test_corrected_by_its_name(opened: Opened, t: Array, stem: str) -> None:
    p = np.minimum(stats.t.sf(t, 20) * t.size, 1)
    statmap = opened({stem: 1 - p})[stem]
    assert statmap.correction == "FWE"
    look = looked(statmap)
    assert look.n_voxels == (p <= 0.05).sum() > 0
    assert "p_FWE <= .05" in look.reason
    everywhere = np.ones(SHAPE, bool)
    for asked in ({"q": 0.05}, {"bonferroni": 0.05}):
        with pytest.raises(ResultsError, match="already corrected"):
            find_clusters(statmap, mask=everywhere, atlas=None, **asked)


def test_a_small_f_is_no_deactivation(opened: Opened, t: Array) -> None:
    z = stats.norm.isf(stats.f.sf(np.abs(t), 3, 20))
    statmap = opened({"zfstat1": z})["zfstat1"]
    assert (z < -2).any()
    assert (statmap.tail, statmap.tail_is_guess) == (Tail.ONE, False)
    assert np.array_equal(kept(statmap, p=0.01), z >= stats.norm.isf(0.01))
    with pytest.raises(ResultsError, match="one-tailed"):
        find_clusters(statmap, p=0.01, tail="both", atlas=None)


@pytest.mark.parametrize(
    ("stem", "by"),
    [("a_association-test_z_FDR_0.01", "FDR"), ("tmap", "an unknown program")],
)
def test_what_was_thresholded_is_shown_whole(
    opened: Opened, t: Array, stem: str, by: str
) -> None:
    cut = np.where(np.abs(t) >= 2.9, t, 0)
    statmap = opened({stem: cut})[stem]
    look = looked(statmap)
    assert look.n_voxels == (cut != 0).sum()
    assert f"thresholded before, by {by}" in look.reason
    assert np.array_equal(
        kept(statmap, value=choose_first_threshold(statmap).value), cut != 0
    )
    dof = 20 if statmap.kind.row.p.n_dof else None
    with pytest.raises(ResultsError, match="already been thresholded"):
        find_clusters(statmap, q=0.05, mask=np.ones(SHAPE, bool), dof=dof, atlas=None)


def test_labels_are_no_z(opened: Opened) -> None:
    labels = np.zeros(SHAPE)
    labels[2:5, 2:5, 2:5], labels[8:11, 8:11, 8:11] = 1, 2
    results = opened({"cluster_mask_zstat1": labels, "pain_z": labels})
    assert str(results["cluster_mask_zstat1"].kind) == "label"
    with pytest.raises(ResultsError, match=r"whole numbers.*--kind pain_z=KIND"):
        find_clusters(results["pain_z"], p=0.001)
    assert "in whole numbers" in looked(results["pain_z"]).reason
    assert any("pain_z: its name says" in problem for problem in results.problems)


def test_no_p_is_read_off_values_that_are_none(opened: Opened, t: Array) -> None:
    statmap = opened({"pain_p": t})["pain_p"]
    for asked in ({"p": 0.001}, {"value": 0.001}, {"q": 0.05}):
        with pytest.raises(ResultsError, match="they fit z, t or signed logp"):
            find_clusters(statmap, atlas=None, **asked)
    with pytest.raises(ResultsError, match="they fit z"):
        choose_first_threshold(statmap)
    # Shown as what it is: large and small numbers, of both signs.
    look = looked(statmap)
    assert (look.signed, look.survives) == (True, True)
    assert look.height == pytest.approx(np.percentile(np.abs(t), 95), rel=1e-5)
    assert look.n_voxels == (np.abs(t.astype(np.float32)) >= look.height).sum()
    assert look.reason.startswith("the strongest 5 % by size alone")
    assert "they fit z" in look.reason
    assert voxel_p(PSource(statmap), lambda one: one.data) is None


def test_a_user_says_what_a_map_holds(opened: Opened, t: Array) -> None:
    results = opened({"pain_p": t})
    path = results["pain_p"].path
    stated = open_results(path, kinds={"pain_p": "t two-tailed"})["pain_p"]
    assert (str(stated.kind), stated.tail, stated.tail_is_guess) == (
        "t",
        Tail.TWO,
        False,
    )
    assert np.array_equal(
        kept(stated, p=0.001, dof=20), np.abs(t) >= stats.t.isf(0.0005, 20)
    )
    with pytest.raises(ResultsError, match="There is no map other"):
        open_results(path, kinds={"other": "t"})
    with pytest.raises(ResultsError, match="no kind of numbers"):
        open_results(path, kinds={"pain_p": "tea"})


def test_first_look_and_clusters_agree_on_a_lone_t(opened: Opened, t: Array) -> None:
    only_positive = np.where(t > 0, t, 0)
    statmap = opened({"spmT_0001": only_positive})["spmT_0001"]
    assert (statmap.tail, statmap.tail_is_guess) == (Tail.ONE, True)
    found = find_clusters(statmap, p=0.001, dof=20, atlas=None)
    assert "one-tailed" in str(found.threshold)


def spm_like(statmap: StatMap) -> Threshold:
    (preset,) = [one for one in list_presets(statmap) if one.name == "SPM-like"]
    return preset.threshold


@pytest.fixture
def by_spm(tmp_path: Path) -> Callable[[str, Array, str], StatMap]:
    """Write a map as SPM12 does, which states degrees of freedom, and open it."""

    def written(stem: str, values: Array, law: str) -> StatMap:
        image = nib.Nifti1Image(values.astype(np.float32), AFFINE)
        image.header["descrip"] = f"SPM{{{law}}} - contrast 1: a".encode()
        nib.save(image, tmp_path / f"{stem}.nii")
        return open_results(tmp_path / f"{stem}.nii")[stem]

    return written


def test_spm_like_is_a_one_sided_t(
    by_spm: Callable[[str, Array, str], StatMap], t: Array
) -> None:
    """T at p <= .001, as SPM12's results: 3.61 of 18 degrees of freedom, not 3.92."""
    statmap = by_spm("spmT_0001", t, "T_[18.0]")
    found = clusters_at(statmap, spm_like(statmap))
    assert np.array_equal(found.labels > 0, t >= stats.t.isf(0.001, 18))
    assert str(found.threshold) == (
        "t >= 3.61 (p <= .001, one-tailed, 18 degrees of freedom)"
    )
    assert found.connectivity == 18


@pytest.mark.parametrize("stated", ["t", "t one-tailed", "t two-tailed"])
def test_spm_like_is_one_sided_whatever_the_map_was_tested_for(
    by_spm: Callable[[str, Array, str], StatMap], t: Array, stated: str
) -> None:
    path = by_spm("spmT_0001", t, "T_[18.0]").path
    statmap = open_results(path, kinds={"spmT_0001": stated})["spmT_0001"]
    kept = clusters_at(statmap, spm_like(statmap)).labels > 0
    assert np.array_equal(kept, t >= stats.t.isf(0.001, 18))


def test_spm_like_on_maps_with_a_p_beside_them(opened: Opened, t: Array) -> None:
    z = stats.norm.isf(stats.t.sf(t, 20))
    two = opened(
        {"z_desc-association": z, "p_desc-association": 2 * stats.norm.sf(np.abs(z))}
    )
    statmap = two["z_desc-association"]
    kept = clusters_at(statmap, spm_like(statmap)).labels > 0
    assert np.array_equal(kept, z >= stats.norm.isf(0.001))
    # Which of its voxels are positive a two-tailed p does not say.
    names = [one.name for one in list_presets(two["p_desc-association"])]
    assert "SPM-like" not in names


def test_f_has_a_p_by_the_degrees_of_freedom_of_its_header(
    by_spm: Callable[[str, Array, str], StatMap], t: Array
) -> None:
    f = t**2
    statmap = by_spm("spmF_0002", f, "F_[1.0,18.0]")
    survives = f >= stats.f.isf(0.001, 1, 18)
    look = looked(statmap)
    assert look.n_voxels == survives.sum()
    assert look.reason.startswith("F >= 15.4 (p <= .001, 1 and 18 degrees of freedom)")
    assert np.array_equal(kept(statmap, p=0.001), survives)
    assert str(find_clusters(statmap, p=0.001, atlas=None).threshold) == (
        "F >= 15.4 (p <= .001, 1 and 18 degrees of freedom)"
    )
    assert choose_first_threshold(statmap) == Threshold(p=0.001)


@pytest.mark.parametrize(
    "stem", ["chi2_desc-association", "chi2_desc-uniformity", "chi2_desc-consistency"]
)
def test_chi2_of_mkda_has_one_degree_of_freedom(
    opened: Opened, t: Array, stem: str
) -> None:
    chi2 = t**2
    statmap = opened({stem: chi2})[stem]
    survives = chi2 >= stats.chi2.isf(0.001, 1)
    assert looked(statmap).n_voxels == survives.sum()
    assert np.array_equal(kept(statmap, p=0.001), survives)
    assert "chi2 >= 10.8 (p <= .001, 1 degree of freedom)" in looked(statmap).reason


def test_of_another_chi2_nobody_knows_the_degrees_of_freedom(
    opened: Opened, t: Array
) -> None:
    # CBMR tests as many as its table has rows.
    results = opened({"chiSquare_group-a": t**2, "pain_chi2": t**2})
    for statmap in results.maps.values():
        assert "degrees of freedom are not known" in looked(statmap).reason
        with pytest.raises(ResultsError, match="degrees of freedom"):
            find_clusters(statmap, p=0.001, atlas=None)


@pytest.mark.parametrize("dof", [18, None])
def test_a_thresholded_t_is_kept_whole_and_at_one_p_the_same(
    by_spm: Callable[[str, Array, str], StatMap], t: Array, dof: int | None
) -> None:
    cut = np.where(t >= stats.t.isf(0.005, 18), t, 0)
    statmap = by_spm("spmT_0001_thr", cut, "T_[18.0]")
    look = looked(statmap)
    assert look.n_voxels == (cut > 0).sum()
    first = choose_first_threshold(statmap)
    assert np.array_equal(kept(statmap, value=first.value), cut > 0)
    assert np.array_equal(kept(statmap, p=0.001, dof=dof), t >= stats.t.isf(0.001, 18))


SIGNED = ("zstat1", "z_score", "tmap", "a_stat-t_statmap", "SetA_Tstat", "snpmT+")


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("stem", [*SIGNED, "zfstat1", "T_log_p_0001", "p_value"])
def test_first_look_and_clusters_meet_a_map_at_one_p(
    by_spm: Callable[[str, Array, str], StatMap], t: Array, stem: str, both: bool
) -> None:
    values = {"p_value": stats.t.sf(t, 20), "T_log_p_0001": -stats.t.logsf(t, 20)}
    data = values.get(stem, t if both else np.where(t > 0, t, 0.5)).astype(np.float32)
    statmap = by_spm(stem, data, "T_[20.0]")
    look = looked(statmap)
    assert "p <= .001" in look.reason
    size = np.abs(data) if statmap.signed else data
    weak = statmap.kind.row.small_is_strong
    seen = data <= look.height if weak else size >= np.float32(look.height)
    assert np.array_equal(kept(statmap, p=0.001), seen)
    assert look.n_voxels == seen.sum()


def test_nothing_is_called_the_strongest_where_all_are_alike(opened: Opened) -> None:
    ones = np.zeros(SHAPE)
    ones[2:-2, 2:-2, 2:-2] = 1
    results = opened({"p_corr-FDR_method-indep": ones, "stat": ones})
    for statmap in results.maps.values():
        reason = looked(statmap).reason
        assert "strongest 5 %" not in reason
        assert "every voxel has this value" in reason


def test_a_p_of_1_is_never_among_the_strongest(opened: Opened, t: Array) -> None:
    p = np.where(t > 3, 0.5, 1.0)
    reason = looked(opened({"p": p})["p"]).reason
    assert "p <= .5 (" in reason


# --- the page of kinds: every row of its table of names is opened ---------------------

PAGE = Path(__file__).parents[3] / "docs" / "kinds.md"
COLUMNS = "program, file name, kind, tail, correction, first threshold, to know"


def rows_of_the_page() -> list[Any]:
    _, _, text = PAGE.read_text(encoding="utf-8").partition("<!-- names:")
    lines = [line.strip("|").split("|") for line in text.splitlines() if "|" in line]
    cells = [[cell.strip() for cell in line] for line in lines]
    assert cells[0] == COLUMNS.split(", ")
    return [
        pytest.param(*row, id=f"{row[0]}: {row[1].strip('`')}") for row in cells[2:]
    ]


def values_of(kind: str, correction: str, rng: np.random.Generator) -> Array:
    """Return what a whole map of a kind may hold, with an effect."""
    p, t = rng.uniform(size=SHAPE), rng.standard_t(20, size=SHAPE)
    if correction.endswith(", cluster"):
        # One value a cluster, and the floor.
        p[:], t[:] = 1, 0.01
    p[3:5, 3:5, 3:5] = 1e-7
    if correction.startswith(("FWE", "FDR")):
        p = np.minimum(p * 20, 1)
    t[3:5, 3:5, 3:5] = 9
    return np.asarray(
        {
            **{"p": p, "1-p": 1 - p, "logp": -np.log10(p)},
            **{"signed logp": -np.log10(p) * np.sign(t), "prob": p},
            "label": np.rint(np.abs(t)),
        }.get(kind, t if kind in ("z", "t", "est") else np.abs(t))
    )


@pytest.mark.parametrize(
    ("program", "name", "kind", "tail", "correction", "first", "note"),
    rows_of_the_page(),
)
def test_a_file_opens_as_the_page_of_kinds_says(
    opened: Opened,
    rng: np.random.Generator,
    program: str,
    name: str,
    kind: str,
    tail: str,
    correction: str,
    first: str,
    note: str,
) -> None:
    stem = name.strip("`")
    corrected = correction.startswith(("FWE", "FDR"))
    statmap = opened({stem: values_of(kind, correction, rng)})[stem]
    reading = statmap.file.reading
    assert reading.program == program
    assert statmap.doubt == ""
    assert str(statmap.kind) == kind or kind == "by its header"
    assert reading.note == note
    # Who says nothing of the tail has it guessed; NiMARE's are measured where p is.
    told = {"-": statmap.tail_is_guess, "measured": statmap.name is not None}
    told["none"] = statmap.tail is Tail.NONE
    assert told.get(tail, str(statmap.tail) == tail)
    if correction.startswith("thresholded by "):
        assert statmap.cut == correction.removeprefix("thresholded by ")
    elif corrected:
        assert f"{statmap.correction}, {statmap.level}" == correction
    else:
        assert (statmap.correction, statmap.cut) == (None, "")
    if kind == "by its header":
        # Its values are not of any kind here.
        return
    check_first_threshold(statmap, first)


def check_first_threshold(statmap: StatMap, first: str) -> None:
    """Compare the first threshold of a map with what the page says of it."""
    size = np.abs(statmap.data) if statmap.signed else statmap.data
    size = size[size > 0]
    if first == "none":
        with pytest.raises(ResultsError, match="cannot be thresholded"):
            choose_first_threshold(statmap)
        return
    asked = choose_first_threshold(statmap)
    if first.endswith("else strongest 5 %"):
        assert asked.value == pytest.approx(np.percentile(size, 95), rel=1e-5)
        dof = (3.0, 20.0) if statmap.kind.row.p.n_dof == 2 else 20.0
        asked = choose_first_threshold(statmap, Evidence(dof=dof))
        first = first.split(" where ")[0]
    if " <= " in first:
        of, alpha = first.split(" <= ")
        assert (asked.p, of == "q") == (float(alpha), statmap.correction == "FDR")
        return
    weakest = {"all that is left": size.min(), "the whole range": size.min()}
    weakest["strongest 5 %"] = np.percentile(size, 95)
    assert asked.value == pytest.approx(weakest[first], rel=1e-5)
