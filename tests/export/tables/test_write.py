"""Saved tables say what they show, to people and to programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_neurosynth_results as nnr
from helpers.corrected_maps import CORRECTIONS, FDR, corrected_test
from napari_neurosynth_results import ClusterSet, ResultsError, ResultSet
from napari_neurosynth_results.api.studies import leave_out_each
from napari_neurosynth_results.export.escaping import for_spreadsheet
from napari_neurosynth_results.export.provenance import source_of
from napari_neurosynth_results.export.tables.clusters import (
    clusters_table,
    save_studies,
    studies_table,
)
from napari_neurosynth_results.export.tables.write import COLUMNS, write_delimited
from napari_neurosynth_results.maps.results import ResultSet as Results
from napari_neurosynth_results.statistics.p_values.directions import Direction
from napari_neurosynth_results.statistics.studies.leave_one_out import SURVIVAL_COLUMNS

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
Save = Callable[..., None]
Opened = Callable[..., ResultSet]


@pytest.fixture(scope="module")
def results(sample_path: Path) -> ResultSet:
    return nnr.open_results(sample_path)


@pytest.fixture(scope="module")
def clusters(results: ResultSet) -> ClusterSet:
    return nnr.find_clusters(results["z"], p=0.001, min_voxels=100)


def read(path: Path) -> tuple[list[str], pd.DataFrame, dict[str, Any]]:
    """Return the first lines of a table, the table, and its description."""
    lines = [
        line for line in path.read_text("utf-8").splitlines() if line.startswith("# ")
    ]
    table = pd.read_csv(path, sep="\t", comment="#", keep_default_na=False)
    return lines, table, json.loads(path.with_suffix(".json").read_text("utf-8"))


@pytest.mark.parametrize("save", [nnr.save_clusters, nnr.save_peaks, nnr.save_regions])
def test_a_table_says_where_it_comes_from(
    clusters: ClusterSet, sample_path: Path, tmp_path: Path, save: Save
) -> None:
    save(clusters, tmp_path / "t.tsv")
    lines, table, told = read(tmp_path / "t.tsv")
    assert lines[:2] == ["# map: z (z, uncorrected)", f"# {clusters}"]
    assert "# connectivity: 6" in lines
    assert any(line.startswith("# regions: Desikan") for line in lines)
    assert f"# source: {sample_path}" in lines
    assert "# space: MNI152" in lines
    assert lines[-1] == f"# made by napari-neurosynth-results {nnr.__version__}"
    assert told["File"] == "t.tsv"
    assert told["Source"] == str(sample_path)
    assert told["Map"]["Key"] == "z"
    assert told["Map"]["Tail"] == "one-tailed"
    threshold = told["Threshold"]
    assert (threshold["Tail"], threshold["TailIsGuess"]) == ("one-tailed", False)
    assert (threshold["Criterion"], threshold["Asked"]) == ("p", 0.001)
    assert threshold["Height"] == pytest.approx(3.0902, abs=1e-4)
    assert threshold["MinimumVoxels"] == 100
    assert told["Atlas"]["Name"] == clusters.atlas.name  # type: ignore[union-attr]
    assert told["GeneratedBy"][0]["Version"] == nnr.__version__
    assert set(told["SoftwareVersions"]) >= {"Python", "numpy"}
    for column in table.columns:
        assert told[column]["Description"]
    assert {told[c]["Units"] for c in table if c.endswith(("_x", "_y", "_z"))} <= {"mm"}


def test_peaks_have_the_name_of_their_cluster_and_their_own_region(
    clusters: ClusterSet, tmp_path: Path
) -> None:
    nnr.save_peaks(clusters, tmp_path / "t.tsv")
    _, table, _ = read(tmp_path / "t.tsv")
    assert len(table) == len(clusters.peaks)
    assert table["name"].tolist() == [
        clusters.names[label - 1] for label in clusters.peaks["label"]
    ]
    assert table["region"].tolist() == clusters.peaks["region"].tolist()
    for axis in "xyz":
        column = f"peak_{axis}"
        assert table[column].tolist() == clusters.peaks[column].tolist()


def test_a_cluster_level_threshold_is_told_as_one(
    results: ResultSet, tmp_path: Path
) -> None:
    nnr.save_clusters(nnr.find_clusters(results[MASS]), tmp_path / "t.tsv")
    threshold = read(tmp_path / "t.tsv")[2]["Threshold"]
    assert threshold["Level"] == "cluster"
    assert threshold["Alpha"] == 0.05
    assert threshold["MonteCarloIterations"] == 1000
    assert threshold["Correction"] == "FWE"


def test_a_height_that_is_no_number_is_null(results: ResultSet, tmp_path: Path) -> None:
    none = nnr.find_clusters(results["z"], q=1e-9)
    assert len(none) == 0
    nnr.save_clusters(none, tmp_path / "t.tsv")
    threshold = read(tmp_path / "t.tsv")[2]["Threshold"]
    assert threshold["Height"] is None
    assert threshold["FalseDiscoveryRate"] == "BH"
    assert threshold["NumberOfTests"] > 100_000


def test_studies_are_described_too(
    results: ResultSet, clusters: ClusterSet, tmp_path: Path
) -> None:
    behind = nnr.contributors(results, clusters)
    save_studies(behind, tmp_path / "t.tsv")
    _, table, told = read(tmp_path / "t.tsv")
    assert len(table) == len(studies_table(behind))
    assert set(table.columns) <= set(told) & set(COLUMNS)


def test_tokens_are_not_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNR_NEUROVAULT_TOKEN", "my-own-token")
    source = "https://neurovault.org/collections/QWERTYUI/?t=my-own-token\n# more"
    told = source_of(Results([], title="", source=source))
    assert told == "https://neurovault.org/collections/<private>/?t=<token> # more"


@pytest.mark.parametrize("own", [True, False])
def test_a_description_is_replaced_only_if_it_is_of_the_same_table(
    clusters: ClusterSet, tmp_path: Path, own: bool
) -> None:
    nnr.save_peaks(clusters, tmp_path / "t.tsv")
    if not own:
        (tmp_path / "t.json").write_text('{"mine": 1}', encoding="utf-8")
    before = (tmp_path / "t.json").read_text(encoding="utf-8")
    for name in ("t.tsv", "t.csv"):
        with pytest.raises(ResultsError, match="exists already"):
            nnr.save_clusters(clusters, tmp_path / name)
    with pytest.raises(ResultsError, match="does not describe"):
        nnr.save_clusters(clusters, tmp_path / "t.csv", overwrite=True)
    assert not (tmp_path / "t.csv").exists()
    if own:
        nnr.save_clusters(clusters, tmp_path / "t.tsv", overwrite=True)
        assert "Clusters of a map" in (tmp_path / "t.json").read_text(encoding="utf-8")
        return
    with pytest.raises(ResultsError, match="does not describe"):
        nnr.save_clusters(clusters, tmp_path / "t.tsv", overwrite=True)
    assert (tmp_path / "t.json").read_text(encoding="utf-8") == before


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text(), min_size=2, max_size=4, unique_by=for_spreadsheet),
    st.sampled_from([".csv", ".tsv"]),
    st.text(),
)
def test_whatever_names_hold_a_cell_stays_a_cell(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    extension: str,
    line: str,
) -> None:
    path = tmp_path_factory.mktemp("cells") / f"t{extension}"
    table = pd.DataFrame({"n": range(len(texts)), "=text #1": texts})
    write_delimited(str(path), table, [line])
    read = pd.read_csv(
        path,
        sep="," if extension == ".csv" else "\t",
        comment="#",
        keep_default_na=False,
        dtype=str,
    )
    assert list(read.columns) == ["n", "'=text #1"]
    assert read["n"].tolist() == [str(n) for n in range(len(texts))]
    assert read.iloc[:, 1].tolist() == [for_spreadsheet(text) for text in texts]


def test_names_that_users_gave_are_harmless_in_tables(
    clusters: ClusterSet, tmp_path: Path
) -> None:
    named = clusters.renamed(1, '=HYPERLINK("x")\n# no, "comment"')
    for name, save in (
        ("a.tsv", nnr.save_clusters),
        ("b.tsv", nnr.save_peaks),
        ("c.tsv", nnr.save_regions),
    ):
        save(named, tmp_path / name)
        _, table, _ = read(tmp_path / name)
        assert table["name"][0] == '\'=HYPERLINK("x") # no, "comment"'
        assert len(table.columns) > 3


@pytest.mark.parametrize("name", list(CORRECTIONS))
def test_a_corrected_map_is_told_as_one(
    opened: Opened, rng: np.random.Generator, tmp_path: Path, name: str
) -> None:
    maps = corrected_test("two", name, rng)
    found = nnr.find_clusters(opened(maps)[f"z_{name}"], p=0.05)
    nnr.save_clusters(found, tmp_path / "t.tsv")
    lines, table, told = read(tmp_path / "t.tsv")
    sentence, column = CORRECTIONS[name]
    symbol, method = sentence.split(" <= .05, ")
    assert sentence in lines[1]
    q, p = maps[f"p_{name}"], maps["p"]
    kept = (q > 0) & (q <= 0.05)
    threshold = told["Threshold"]
    assert threshold["UncorrectedP"] == pytest.approx(p[kept].max(), rel=1e-4)
    assert threshold["ErrorRate"] == {"Rate": symbol, "Level": 0.05, "Method": method}
    assert told["PeakMap"] == "z"
    by_test = name.endswith("montecarlo")
    assert told["Map"]["TailIsConversions"] == (not by_test)
    assert told["Map"]["Meaning"].startswith(f"z that stands for {symbol}")
    at = tuple(np.array(found.peak_voxels).T)
    assert table["peak_p"].tolist() == pytest.approx(p[at], rel=1e-4)
    assert table[column].tolist() == pytest.approx(q[at], rel=1e-4)
    assert (table["significant"] == True).all()  # noqa: E712
    # All maps have the same columns, so that tables go below each other.
    plain = clusters_table(nnr.find_clusters(found.values, p=0.001))
    assert list(plain) == list(table)


def test_what_is_not_known_of_a_test_is_empty(
    opened: Opened, rng: np.random.Generator, tmp_path: Path
) -> None:
    stem = f"z_{FDR}"
    results = opened({stem: corrected_test("two", FDR, rng)[stem]})
    nnr.save_clusters(nnr.find_clusters(results[stem], p=0.05), tmp_path / "t.tsv")
    lines, table, told = read(tmp_path / "t.tsv")
    assert any("is not at hand" in line for line in lines)
    assert (table[["peak_value", "peak_p", "peak_logp", "mean_value"]] == "").all(
        axis=None
    )
    assert told["Threshold"]["UncorrectedP"] is None
    assert told["PeakMap"] is None
    assert table["peak_q"].max() <= 0.05


def test_no_error_rate_is_null(clusters: ClusterSet, tmp_path: Path) -> None:
    nnr.save_clusters(clusters, tmp_path / "t.tsv")
    _, table, told = read(tmp_path / "t.tsv")
    assert told["Threshold"]["ErrorRate"] is None
    assert told["Threshold"]["UncorrectedP"] == 0.001
    assert (table["significant"] == "").all()


def test_columns_of_left_out_experiments_are_described(
    results: ResultSet, clusters: ClusterSet, tmp_path: Path
) -> None:
    left_out = leave_out_each(results, clusters)
    nnr.save_clusters(left_out.add_to(clusters), tmp_path / "t.tsv")
    lines, table, told = read(tmp_path / "t.tsv")
    assert set(SURVIVAL_COLUMNS) <= set(table.columns)
    assert set(SURVIVAL_COLUMNS) <= set(told) & set(COLUMNS)
    assert table["stands"].tolist() == left_out.stands.tolist()
    assert any("It is no test" in line for line in lines)


@pytest.mark.parametrize(("tail", "guess"), [("auto", True), ("positive", False)])
def test_a_description_says_what_is_guessed_of_a_lone_map(
    opened: Callable[..., nnr.ResultSet],
    tmp_path: Path,
    tail: Direction,
    guess: bool,
) -> None:
    z = np.zeros((8, 9, 8))
    z[2:4, 2:4, 2:4] = 4
    statmap = opened({"mean_zstat": z})["mean_zstat"]
    found = nnr.find_clusters(statmap, p=0.01, tail=tail, atlas=None)
    nnr.save_clusters(found, tmp_path / "t.tsv")
    lines, _, told = read(tmp_path / "t.tsv")
    assert told["Map"]["TailIsGuess"]
    assert told["Threshold"]["TailIsGuess"] is guess
    assert any("one-tailed, a guess" in line for line in lines) is guess
