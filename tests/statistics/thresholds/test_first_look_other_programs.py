"""Files of other programs open at what their names and values say, and no other way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from napari_neurosynth_results import ResultsError, Tail, find_clusters, open_results
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.p_values.significance import Evidence, PSource
from napari_neurosynth_results.statistics.p_values.voxel_p import voxel_p
from napari_neurosynth_results.statistics.thresholds.first_look import (
    FirstLook,
    choose_first_threshold,
    first_look,
)
from napari_neurosynth_results.statistics.thresholds.what_can_be_asked import (
    list_presets,
)

Opened = Callable[..., ResultSet]
Array = npt.NDArray[Any]
SHAPE = (16, 17, 16)


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
    [("a_association-test_z_FDR_0.01", "FDR"), ("tmap", "somebody, as its values say")],
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
    with pytest.raises(ResultsError, match=r"whole numbers.*kinds=.*--kind pain_z=z"):
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


def test_spm_like_is_one_sided(opened: Opened, t: Array) -> None:
    statmap = opened({"mine_zmap": t})["mine_zmap"]
    (preset,) = [one for one in list_presets(statmap) if one.name == "SPM-like"]
    assert preset.threshold.tail == "positive"


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


def values_of(kind: str, corrected: bool, rng: np.random.Generator) -> Array:
    """Return what a whole map of a kind may hold, with an effect."""
    p = rng.uniform(size=SHAPE)
    p[3:5, 3:5, 3:5] = 1e-7
    if corrected:
        p = np.minimum(p * 20, 1)
    t = rng.standard_t(20, size=SHAPE)
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
    statmap = opened({stem: values_of(kind, corrected, rng)})[stem]
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
