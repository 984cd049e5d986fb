"""Who is behind a cluster, told from tables that were made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from helpers.maps_in_memory import lone, made
from napari_neurosynth_results.maps.results import About, ResultSet
from napari_neurosynth_results.maps.studies import (
    Analysis,
    Experiments,
    Focus,
    Studies,
    Study,
)
from napari_neurosynth_results.statistics.clusters.formation import clusters_at
from napari_neurosynth_results.statistics.studies.contributors import (
    FEW_IN_ALL,
    MAY_DOMINATE,
    NO_EXPERIMENT,
    ONE_DOMINATES,
    ONE_EXPERIMENT,
    ONE_SHARE_DOMINATES,
    TWO_SHARES_DOMINATE,
    Contributors,
    known_as_ale,
    measure_robustness,
)
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold


def experiments(*people: int | None) -> Experiments:
    """Return experiments with sample sizes."""
    focus = (Focus(0, 0, 0),)
    return Experiments(
        Studies(
            tuple(
                Study(f"s{n}", f"s{n}", analyses=(Analysis("1", "1", focus, 1, size),))
                for n, size in enumerate(people)
            )
        )
    )


def table(n: int, *columns: dict[int, float]) -> pd.DataFrame:
    """Return n experiments by clusters, 0 where nothing is given."""
    values = np.zeros((n, len(columns)))
    for column, rows in enumerate(columns):
        for row, value in rows.items():
            values[row, column] = value
    names = [f"s{row}-1" for row in range(n)]
    return pd.DataFrame(values, index=names, columns=range(1, len(columns) + 1))


def test_many_experiments_of_which_none_dominates() -> None:
    people = [10, None, *[20] * 18]
    found = measure_robustness(table(20, {0: 2, 1: 1, 5: 1}), experiments(*people))
    row = found.loc[1]
    assert (row.experiments, row.of, row.participants) == (3, 20, 30)
    assert (row.dominant, row.dominant_percent, row.cautions) == ("s0-1", 50, "")


def test_flags_say_what_asks_for_caution() -> None:
    found = measure_robustness(table(20, {3: 4}, {}, {0: 0.6, 1: 0.2, 2: -0.3}))
    assert found.cautions.tolist() == [ONE_EXPERIMENT, NO_EXPERIMENT, ONE_DOMINATES]
    # Who weakens a cluster is not behind it.
    assert found.experiments.tolist() == [1, 0, 2]
    assert found.loc[3, "dominant_percent"] == pytest.approx(75)
    assert found.participants.isna().all()


@pytest.mark.parametrize(
    ("n", "caution"),
    [(17, MAY_DOMINATE), (18, FEW_IN_ALL), (19, FEW_IN_ALL), (20, "")],
)
def test_few_experiments_are_a_caution_of_an_ale_alone(n: int, caution: str) -> None:
    counted = table(n, {3: 1, 4: 1})
    assert measure_robustness(counted, is_ale=True).cautions.tolist() == [caution]
    assert measure_robustness(counted).cautions.tolist() == [""]


@pytest.mark.parametrize(
    ("methods", "estimator", "known"),
    [
        (
            "An activation likelihood estimation (ALE) meta-analysis was made.",
            None,
            True,
        ),
        ("A multilevel kernel density (MKDA) meta-analysis was made.", None, False),
        (
            "An activation likelihood estimation (ALE) meta-analysis. "
            "A multilevel kernel density (MKDA) meta-analysis.",
            None,
            False,
        ),
        (
            "An activation likelihood estimation (ALE) subtraction analysis.",
            None,
            False,
        ),
        ("", None, False),
        ("", {"type": "ALE"}, True),
        ("", {"type": "MKDADensity"}, False),
        ("", "ALE", True),
    ],
)
def test_what_is_known_as_an_ale(methods: str, estimator: object, known: bool) -> None:
    about = About(specification={"estimator": estimator} if estimator else {})
    results = ResultSet([], title="", source="", methods=methods, about=about)
    assert known_as_ale(results) == known


def test_of_two_runs_one_methods_text_tells_nothing() -> None:
    results = made({"a_z": np.zeros((4, 4, 4)), "b_z": np.zeros((4, 4, 4))})
    results.methods = "An activation likelihood estimation (ALE) meta-analysis."
    assert not known_as_ale(results)


def sharing(
    foci: pd.DataFrame | None, shares: pd.DataFrame | None, *people: int | None
) -> Contributors:
    """Return what is known of one cluster."""
    data = np.zeros((4, 4, 4), np.float32)
    data[1:3, 1:3, 1:3] = 5
    clusters = clusters_at(lone(data), Threshold(value=3))
    return Contributors(
        clusters, foci, shares, experiments(*people) if people else None
    )


def test_the_first_row_is_the_study_that_the_sentence_names() -> None:
    # One has most foci, another the largest share.
    foci = table(4, {0: 1, 1: 4, 2: 2, 3: 2})
    shares = table(4, {0: 0.6, 1: 0.1, 2: 0.05, 3: 0.2})
    behind = sharing(foci, shares, 10, 20, 30, 40)
    rows = behind.of(1)
    assert rows["experiment"].tolist() == ["s1-1", "s3-1", "s2-1", "s0-1"]
    assert f"most from {rows['study'][0]} (44 % of the foci)" in behind.sentence(1)
    assert behind.robustness.loc[1, "dominant"] == rows["experiment"][0]


def test_equal_foci_go_by_share_and_then_by_name() -> None:
    foci = table(4, {0: 1, 1: 3, 2: 3, 3: 3}).iloc[::-1]
    shares = table(4, {0: 0.6, 1: 0.1, 2: 0.1, 3: 0.2})
    behind = sharing(foci, shares)
    assert behind.of(1)["experiment"].tolist() == ["s3-1", "s1-1", "s2-1", "s0-1"]
    assert "none has more than 30 % of the foci" in behind.sentence(1)
    assert behind.robustness.loc[1, "dominant"] == "s3-1"
    # The same foci with nothing known of shares.
    alone = sharing(foci, None)
    assert alone.of(1)["experiment"].tolist() == ["s1-1", "s2-1", "s3-1", "s0-1"]
    assert alone.robustness.loc[1, "dominant"] == "s1-1"


def test_shares_decide_where_no_foci_are_known() -> None:
    behind = sharing(None, table(3, {0: 0.1, 1: -0.2, 2: 0.6}))
    assert behind.of(1)["experiment"].tolist() == ["s2-1", "s0-1", "s1-1"]
    assert "most from s2-1 (86 % of the shares)" in behind.sentence(1)
    # Nobody counted the foci in this cluster.
    uncounted = table(3, {}).replace(0, np.nan)
    behind = sharing(uncounted, table(3, {0: 0.1, 2: 0.6}))
    assert behind.of(1)["experiment"].tolist() == ["s2-1", "s0-1"]
    assert behind.sentence(1).endswith("NiMARE counted nothing.")


def test_what_was_not_counted_is_not_flagged() -> None:
    nothing = table(3, {0: 1}, {})
    nothing[2] = np.nan
    row = measure_robustness(nothing).loc[2]
    assert pd.isna(row.experiments)
    assert (row.dominant, row.cautions) == ("", "")
    assert np.isnan(row.dominant_percent)


def test_without_clusters() -> None:
    found = measure_robustness(table(3))
    assert len(found) == 0
    assert found.columns.tolist()[-1] == "cautions"


# --- shares ---------------------------------------------------------------------------


def test_the_two_largest_shares_are_of_all_shares_together() -> None:
    foci = table(20, {0: 1, 1: 1, 2: 1})
    shares = table(20, {0: 0.3, 1: 0.2, 2: 0.25, 5: -0.1})
    row = measure_robustness(foci, shares=shares).loc[1]
    assert (row.largest_share, row.second_share) == ("s0-1", "s2-1")
    assert row.largest_share_percent == pytest.approx(40)
    assert row.two_shares_percent == pytest.approx(100 * 0.55 / 0.75)
    nobody = measure_robustness(table(2, {}), shares=table(2, {})).loc[1]
    assert nobody.largest_share == ""
    assert np.isnan(nobody.largest_share_percent)
    alone = measure_robustness(table(2, {0: 1}), shares=table(2, {0: 0.9})).loc[1]
    assert (alone.second_share, alone.two_shares_percent) == ("", 100)


@pytest.mark.parametrize(
    ("shares", "caution"),
    [
        ({0: 0.5, 1: 0.3, 2: 0.2}, ""),
        ({0: 0.51, 1: 0.29, 2: 0.2}, ONE_SHARE_DOMINATES),
        ({0: 0.45, 1: 0.36, 2: 0.19}, TWO_SHARES_DOMINATE),
    ],
)
def test_large_shares_are_a_caution_of_an_ale_alone(
    shares: dict[int, float], caution: str
) -> None:
    foci = table(20, {0: 1, 1: 1, 2: 1})
    found = measure_robustness(foci, shares=table(20, shares), is_ale=True)
    assert found.cautions.tolist() == [caution]
    assert measure_robustness(foci, shares=table(20, shares)).cautions.tolist() == [""]


def test_a_share_is_not_told_twice() -> None:
    counted = table(20, {0: 0.6, 1: 0.2, 2: 0.2})
    found = measure_robustness(counted, shares=counted, is_ale=True)
    assert found.cautions.tolist() == [ONE_DOMINATES]
