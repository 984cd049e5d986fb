"""Studies join clusters by place: checked voxel by voxel on the real sample."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import napari_neurosynth_results as nnr
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.studies import Studies
from napari_neurosynth_results.sample import sample_folder

SHAPE = (8, 9, 8)
MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
TAIL = "_tail-positive"
#: Without it no share follows from the foci.
STAT = "stat.nii.gz"
COUNTS = "z_diag-FocusCounter_tab-counts"
END = "desc-mass_level-cluster_corr-FWE_method-montecarlo"


@pytest.fixture
def part(tmp_path: Path) -> Callable[..., ResultSet]:
    """Open the sample without some of its files, and others renamed."""

    def _part(*without: str, renamed: dict[str, str] | None = None) -> ResultSet:
        folder = tmp_path / "part"
        shutil.copytree(sample_folder(), folder)
        for pattern in without:
            found = list(folder.glob(pattern))
            assert found
            for path in found:
                path.unlink()
        for pattern, name in (renamed or {}).items():
            [path] = folder.glob(pattern)
            path.rename(folder / name)
        return nnr.open_results(folder)

    return _part


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> ResultSet:
    """Return the packaged sample without its studies: NiMARE's tables alone."""
    folder = tmp_path_factory.mktemp("sample") / "pain-ale"
    shutil.copytree(sample_folder(), folder)
    (folder / "studyset.json").unlink()
    return nnr.open_results(folder)


@pytest.fixture(scope="module")
def whole() -> ResultSet:
    """Return the packaged sample with its studies."""
    return nnr.open_results(sample_folder())


@pytest.mark.parametrize(
    ("kind", "diag"), [("foci", "FocusCounter"), ("jackknife", "Jackknife")]
)
def test_each_cluster_gets_the_column_of_the_label_at_its_peak(
    sample: ResultSet, kind: Any, diag: str
) -> None:
    clusters = nnr.find_clusters(sample[MASS], p=0.05)
    found = nnr.contributions(sample, clusters, kind)
    table = sample.tables[f"{MASS}_diag-{diag}_tab-counts{TAIL}"].set_index("id")
    labels = sample[f"label_{END}{TAIL}"].data
    assert list(found.columns) == list(clusters.table["label"])
    assert list(found.index) == list(table.index)
    assert found.index.name == "experiment"
    joined = 0
    for cluster, peak in enumerate(clusters.peak_voxels, start=1):
        label = int(labels[peak])
        if label:
            np.testing.assert_array_equal(
                found[cluster], table[f"PositiveTail {label}"]
            )
            joined += 1
        else:
            assert found[cluster].isna().all()
            assert not clusters.surviving[cluster - 1]
    assert joined == 6
    [warning] = found.attrs["notices"]
    assert "numbers 5 of 6 clusters differently than in its label map" in warning


def test_the_numbers_of_nimare_would_have_misled(sample: ResultSet) -> None:
    clusters = nnr.find_clusters(sample[MASS], p=0.05)
    found = nnr.contributions(sample, clusters)
    table = sample.tables[f"{MASS}_diag-FocusCounter_tab-counts{TAIL}"]
    by_number = [table[f"PositiveTail {n}"].sum() for n in range(1, 7)]
    by_place = [found[n].sum() for n in range(1, 7)]
    assert by_place == [26, 8, 5, 25, 11, 8]
    assert sum(a != b for a, b in zip(by_number, by_place, strict=True)) == 5


def voxel_sets(volume: np.ndarray) -> dict[int, frozenset[int]]:
    """Return the voxels of each label, one label after the other."""
    flat = np.asarray(volume).ravel()
    return {
        int(label): frozenset(np.flatnonzero(flat == label).tolist())
        for label in np.unique(flat[flat > 0])
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [{"p": 0.001}, {"p": 0.0001, "min_voxels": 10}, {"value": 2.5}, {"value": 6.5}],
)
@pytest.mark.parametrize("kind", ["foci", "jackknife"])
def test_numbers_are_stated_of_clusters_that_are_those_of_nimare(
    sample: ResultSet, asked: dict[str, Any], kind: Any
) -> None:
    clusters = nnr.find_clusters(sample["z"], **asked)
    theirs = voxel_sets(sample[f"label_{END}{TAIL}"].data)
    # But for voxels whose p is the height: a step of the histogram that p comes from.
    p = sample["p"].data.ravel()
    same = {
        cluster
        for cluster, voxels in voxel_sets(clusters.labels).items()
        if any(
            voxels & other and all(abs(p[v] - 0.001) < 1e-5 for v in voxels ^ other)
            for other in theirs.values()
        )
    }
    assert len(same) == (6 if asked == {"p": 0.001} else 0)
    if not same:
        with pytest.raises(nnr.ResultsError, match="none of these clusters has the"):
            nnr.contributions(sample, clusters, kind)
        return
    found = nnr.contributions(sample, clusters, kind)
    assert set(found.columns[found.notna().any()]) == same
    # Of the uncorrected map, in which NiMARE did not count.
    assert "NiMARE counted in the clusters of z, cluster-level FWE (mass, Monte" in (
        "\n".join(found.attrs["notices"])
    )


def test_of_another_cluster_it_is_said_whose_numbers_there_are(
    sample: ResultSet,
) -> None:
    clusters = nnr.find_clusters(sample["z"], p=0.0001, min_voxels=10)
    behind = nnr.contributors(sample, clusters)
    assert not behind
    # The columns of the labels there, which the test of places looks up: 26 and 806.
    assert clusters.names[0] == "Insula R"
    assert behind.sentence(1) == (
        "Insula R: not known; NiMARE counted for its own cluster there, of 806 voxels: "
        "26 foci of 14 experiments."
    )
    assert behind.caution(1) == ""
    assert behind.robustness.experiments.isna().all()
    assert f"{behind.sentence(1).split('; ')[1]}" in behind.notices[0]
    assert "open the studies" in behind.notices[0]


def run(
    opened: Callable[..., ResultSet], tables: dict[str, str], **maps: Any
) -> ResultSet:
    return opened(maps, {f"{stem}.tsv": text for stem, text in tables.items()})


def blocks(*values: float) -> np.ndarray:
    """Return two blocks of 8 voxels each, and one of 4 beside the second."""
    data = np.zeros(SHAPE, np.float32)
    data[1:3, 1:3, 1:3], data[5:7, 5:7, 5:7], data[5:7, 5:7, 4] = values
    return data


def test_labels_that_share_a_cluster_add_up_their_foci_but_no_shares(
    opened: Callable[..., ResultSet],
) -> None:
    columns = "\t".join(["id", *(f"PositiveTail {n}" for n in (1, 2, 3))])
    counts = f"{columns}\na-1\t1\t2\t4\nb-1\t0\t3\t5\n"
    results = run(
        opened,
        {
            "z_diag-FocusCounter_tab-counts_tail-positive": counts,
            "z_diag-Jackknife_tab-counts_tail-positive": counts,
        },
        z=blocks(5, 4, 4.5),
        **{"label_tail-positive": blocks(2, 1, 3)},
    )
    clusters = nnr.find_clusters(results["z"], value=3)
    assert list(clusters.table["n_voxels"]) == [8, 12]
    foci = nnr.contributions(results, clusters)
    assert foci.to_dict("list") == {1: [2, 3], 2: [5, 5]}
    shares = nnr.contributions(results, clusters, "jackknife")
    assert list(shares[1]) == [2, 3]
    assert shares[2].isna().all()
    assert any("do not add up" in notice for notice in shares.attrs["notices"])


def test_signs_are_never_mixed(opened: Callable[..., ResultSet]) -> None:
    z = blocks(5, -4, 0)
    results = run(
        opened,
        {
            f"{COUNTS}_tail-positive": "id\tPositiveTail 1\na\t7\n",
            f"{COUNTS}_tail-negative": "id\tNegativeTail 1\na\t9\n",
        },
        z=z,
        p=np.where(z != 0, 0.001, 0.5),
        **{
            "label_tail-positive": blocks(1, 0, 0),
            "label_tail-negative": blocks(0, 1, 0),
        },
    )
    clusters = nnr.find_clusters(results["z"], value=3, tail="both")
    assert list(clusters.table["sign"]) == [1, -1]
    assert nnr.contributions(results, clusters).to_dict("list") == {1: [7], 2: [9]}


def test_what_cannot_be_followed_is_refused(opened: Callable[..., ResultSet]) -> None:
    counts = {
        "z_diag-FocusCounter_tab-counts_tail-positive": "id\tPositiveTail 1\na\t1\n"
    }
    results = run(opened, counts, z=blocks(5, 4, 0))
    clusters = nnr.find_clusters(results["z"], value=3)
    with pytest.raises(nnr.ResultsError, match="no label map for z_diag-FocusCounter"):
        nnr.contributions(results, clusters)
    with pytest.raises(nnr.ResultsError, match="no table of NiMARE's Jackknife"):
        nnr.contributions(results, clusters, "jackknife")


# --- foci that are known --------------------------------------------------------------


def test_what_is_asked_for_has_to_be_there(whole: ResultSet) -> None:
    clusters = nnr.find_clusters(whole["z"], p=0.001)
    for ask in (nnr.contributions, nnr.robustness):
        with pytest.raises(nnr.ResultsError, match="foci or jackknife, not 'share'"):
            ask(whole, clusters, "share")  # type: ignore[arg-type]


def test_foci_are_counted_where_they_are_known(
    sample: ResultSet, whole: ResultSet
) -> None:
    clusters = nnr.find_clusters(whole[MASS], p=0.05)
    counted = nnr.contributions(whole, clusters)
    assert counted.attrs["source"] == "267 foci of 21 experiments, counted here"
    joined = nnr.contributions(sample, nnr.find_clusters(sample[MASS], p=0.05))
    assert joined.attrs["source"] == "NiMARE's table of foci"
    # NiMARE's own counts, where it counted: to the focus.
    assert list(counted.index) == list(joined.index)
    assert np.array_equal(counted.loc[:, :6], joined.loc[:, :6])
    # And in clusters that it did not count for.
    assert joined[7].isna().all()
    assert counted[7].sum() == 3
    assert counted.dtypes.eq(np.int64).all()


def test_at_any_threshold_the_foci_are_those_in_the_clusters(whole: ResultSet) -> None:
    clusters = nnr.find_clusters(whole["z"], p=0.0001, min_voxels=10)
    counted = nnr.contributions(whole, clusters)
    foci = whole.studies.foci
    voxels = np.round(
        (foci[["x", "y", "z"]] - np.array(clusters.statmap.grid.origin)) / 2
    )
    labels = clusters.labels[tuple(voxels.to_numpy(int).T)]
    for label in range(1, len(clusters) + 1):
        assert counted[label].sum() == (labels == label).sum()
    assert counted.to_numpy().sum() < len(foci)


def test_other_studies_may_be_given(sample: ResultSet, whole: ResultSet) -> None:
    clusters = nnr.find_clusters(sample[MASS], p=0.05)
    counted = nnr.contributions(sample, clusters, studies=whole.studies)
    assert counted[1].sum() == 26
    assert "counted here" in counted.attrs["source"]


def test_a_broken_studyset_is_told_and_the_tables_serve(
    part: Callable[..., ResultSet],
) -> None:
    results = part()
    path = Path(results.source) / "studyset.json"
    path.write_text("{", encoding="utf-8")
    found = nnr.contributions(results, nnr.find_clusters(results[MASS], p=0.05))
    assert found.attrs["source"] == "NiMARE's table of foci"
    assert "The studies could not be loaded" in found.attrs["notices"][0]
    assert "studyset.json" in found.attrs["notices"][0]


# --- label maps that were not kept ----------------------------------------------------

LABELS = "label_*.nii.gz"
CLUST = "*_tab-clust.tsv"
JACKKNIFE = "*Jackknife*.tsv"
FOCI = "*FocusCounter*.tsv"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["foci", "jackknife"])
def test_a_label_map_is_made_anew_and_proven_by_sizes(
    sample: ResultSet, part: Callable[..., ResultSet], kind: Any
) -> None:
    results = part(LABELS, "studyset.json")
    clusters = nnr.find_clusters(results[MASS], p=0.05)
    found = nnr.contributions(results, clusters, kind)
    expected = nnr.contributions(sample, nnr.find_clusters(sample[MASS], p=0.05), kind)
    assert found.equals(expected)
    [notice] = found.attrs["notices"]
    assert "was rebuilt from" in notice
    assert "agrees with the sizes in NiMARE's table of clusters" in notice


def test_without_any_proof_nothing_is_joined(part: Callable[..., ResultSet]) -> None:
    results = part(LABELS, CLUST, "studyset.json")
    clusters = nnr.find_clusters(results[MASS], p=0.05)
    with pytest.raises(nnr.ResultsError, match="cannot be shown to fit"):
        nnr.contributions(results, clusters)


@pytest.mark.slow
def test_a_table_of_compose_is_followed_by_the_foci(
    sample: ResultSet, part: Callable[..., ResultSet]
) -> None:
    results = part(LABELS, CLUST, FOCI, STAT, renamed={JACKKNIFE: "diagnostics.tsv"})
    clusters = nnr.find_clusters(results[MASS], p=0.05)
    found = nnr.contributions(results, clusters, "jackknife")
    expected = nnr.contributions(
        sample, nnr.find_clusters(sample[MASS], p=0.05), "jackknife"
    )
    assert found.equals(expected)
    assert "it agrees with the foci" in found.attrs["notices"][0]


@pytest.mark.slow
def test_a_table_of_compose_that_does_not_fit_is_declined(
    part: Callable[..., ResultSet],
) -> None:
    results = part(LABELS, CLUST, FOCI, STAT, renamed={JACKKNIFE: "diagnostics.tsv"})
    path = Path(results.source) / "diagnostics.tsv"
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    cells = [row.split("\t") for row in rows]
    swapped = [[row[0], row[2], row[1], *row[3:]] for row in cells]
    text = "\n".join([head, *("\t".join(row) for row in swapped)])
    path.write_text(f"{text}\n", encoding="utf-8")
    clusters = nnr.find_clusters(results[MASS], p=0.05)
    with pytest.raises(nnr.ResultsError, match="Compose keeps no label map"):
        nnr.contributions(results, clusters, "jackknife")
    # What is known without it is still told.
    behind = nnr.contributors(results, clusters)
    assert behind.shares is None
    assert behind.foci is not None


@pytest.mark.slow
def test_foci_that_are_not_known_leave_a_table_of_compose_unread(
    part: Callable[..., ResultSet],
) -> None:
    results = part(
        LABELS, CLUST, JACKKNIFE, "studyset.json", renamed={FOCI: "diagnostics.tsv"}
    )
    clusters = nnr.find_clusters(results[MASS], p=0.05)
    with pytest.raises(nnr.ResultsError, match="Compose keeps no label map"):
        nnr.contributions(results, clusters)
    behind = nnr.contributors(results, clusters)
    assert not behind
    assert any("Compose keeps no label map" in notice for notice in behind.notices)


# --- all in one place -----------------------------------------------------------------


def test_contributors_say_who_is_behind_a_cluster(whole: ResultSet) -> None:
    behind = nnr.contributors(whole, nnr.find_clusters(whole[MASS], p=0.05))
    table = behind.of(1)
    ranks = list(zip(table.foci, table.share, strict=True))
    assert ranks == sorted(ranks, reverse=True)
    assert table.foci.sum() == 26
    assert (table.foci > 0).sum() == 14
    assert table.loc[0, "study"] == "pain_19.nidm"
    assert behind.sentence(1) == (
        "Insula R: 14 of 21 experiments, 26 foci, 243 participants; none has more than "
        "12 % of the foci."
    )
    assert behind.told("pain_19.nidm-1", 1) == (
        "pain_19.nidm in Insula R: 3 foci, share 13.2 %"
    )
    assert behind.sentence(13).startswith("Middle temporal")
    assert "one experiment only" in behind.robustness.cautions[13]
    # People of the studies that contribute, and of no others.
    people = {
        study["id"]: study["analyses"][0]["metadata"]["sample_sizes"][0]
        for study in json.loads(
            (Path(sample_folder()) / "studyset.json").read_text(encoding="utf-8")
        )["studies"]
    }
    counted = nnr.contributions(whole, nnr.find_clusters(whole[MASS], p=0.05))
    contributing = counted.index[counted[1] > 0]
    expected = sum(people[name.removesuffix("-1")] for name in contributing)
    assert behind.robustness.participants[1] == expected == 243


def test_the_first_row_of_every_cluster_is_the_study_of_its_sentence(
    whole: ResultSet,
) -> None:
    behind = nnr.contributors(whole, nnr.find_clusters(whole[MASS], p=0.05))
    named = 0
    for label in range(1, len(behind.clusters) + 1):
        rows, sentence = behind.of(label), behind.sentence(label)
        assert behind.robustness.dominant[label] == rows.experiment[0]
        if "most from" in sentence:
            named += 1
            assert f"; most from {rows.study[0]} (" in sentence
    assert named == 5
    # By share it would be another than by foci.
    assert behind.of(5).share.idxmax() != 0


def test_those_behind_most_clusters_come_first(whole: ResultSet) -> None:
    behind = nnr.contributors(whole, nnr.find_clusters(whole["z"], p=0.001))
    assert behind.ranked is not None
    assert behind.foci is not None
    table = behind.ranked
    assert sorted(table.index) == sorted(behind.foci.index)
    ranks = list(zip((table > 0).sum(axis=1), table.sum(axis=1), strict=True))
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) > 5
    pd.testing.assert_frame_equal(table.sort_index(), behind.foci.sort_index())


def test_contributors_without_studies(sample: ResultSet) -> None:
    behind = nnr.contributors(sample, nnr.find_clusters(sample[MASS], p=0.05))
    assert behind.experiments is None
    assert behind.of(1).participants.isna().all()
    assert behind.sentence(7).endswith("NiMARE counted nothing.")
    assert len(behind.of(7)) == 0


def test_nothing_known_is_told_with_the_reasons(
    opened: Callable[..., ResultSet],
) -> None:
    results = opened({"z": blocks(5, 4, 0)})
    behind = nnr.contributors(results, nnr.find_clusters(results["z"], value=3))
    assert not behind
    assert len(behind.notices) == 2
    assert "no table of NiMARE's FocusCounter" in behind.notices[0]
    with pytest.raises(ValueError, match="nothing is known"):
        _ = behind.robustness


# --- worked out from the foci ---------------------------------------------------------


def test_shares_are_known_at_any_threshold(whole: ResultSet) -> None:
    clusters = nnr.find_clusters(whole["z"], p=0.0001)
    table = nnr.contributions(whole, clusters, "jackknife")
    assert table.attrs["source"] == "Shares worked out from the foci"
    assert "at all 228,483 voxels" in table.attrs["notices"][0]
    assert table.notna().all().all()
    assert table.sum().between(0.9, 1).all()
    behind = nnr.contributors(whole, clusters)
    assert behind.shares.equals(table)
    assert behind.modeled is not None
    row = behind.of(1).iloc[0]
    assert min(row["peak_activation"], row["mean_activation"]) > 0


@pytest.mark.slow
def test_other_studies_give_no_shares_and_it_is_said(
    sample: ResultSet, whole: ResultSet
) -> None:
    assert whole.studies is not None
    fewer = Studies(whole.studies.studies[1:])
    clusters = nnr.find_clusters(sample[MASS], p=0.05)
    behind = nnr.contributors(sample, clusters, studies=fewer)
    assert behind.modeled is None
    assert any("could not be rebuilt from the foci" in told for told in behind.notices)
    # NiMARE's own table serves as before.
    assert behind.shares is not None
    with pytest.raises(nnr.ResultsError, match="could not be rebuilt"):
        nnr.robustness(sample, clusters, studies=fewer, leave_one_out=True)


@pytest.mark.slow
def test_robustness_leaves_one_out(whole: ResultSet) -> None:
    clusters = nnr.find_clusters(whole["z"], p=0.001, min_voxels=10)
    heard: list[str] = []
    found = nnr.robustness(
        whole,
        clusters,
        leave_one_out=True,
        progress=lambda what, done, total: heard.append(what),
    )
    stands = [21, 21, 21, 21, 21, 21, 20, 19, 19, 19, 18, 19, 18, 19, 19]
    assert found["stands"].tolist() == stands
    assert found["stands_of"].eq(21).all()
    assert found.loc[7, "lost_without"] == "pain_02.nidm-1"
    assert found.loc[1, "largest_share"] == "pain_19.nidm-1"
    assert found.loc[1, "two_shares_percent"] == pytest.approx(25.38, abs=0.05)
    assert "Leave one out" in heard
    assert any("no test" in told for told in found.attrs["notices"])
    # A map that nobody can estimate anew.
    one = nnr.find_clusters(whole["p"], p=1e-9)
    assert "stands" not in nnr.robustness(whole, one)


@pytest.mark.slow
def test_without_foci_nothing_is_left_out(sample: ResultSet) -> None:
    clusters = nnr.find_clusters(sample[MASS], p=0.05)
    with pytest.raises(nnr.ResultsError, match="No foci of its studies are known"):
        nnr.robustness(sample, clusters, leave_one_out=True)
