"""Who is behind a cluster, told from tables that were made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_neurosynth_results.maps.studies import (
    Analysis,
    Experiments,
    Focus,
    Studies,
    Study,
)
from napari_neurosynth_results.statistics.studies.contributors import (
    FEW_IN_ALL,
    NO_EXPERIMENT,
    ONE_DOMINATES,
    ONE_EXPERIMENT,
    measure_robustness,
)


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
    few = measure_robustness(table(16, {3: 1, 4: 1}))
    assert few.cautions.tolist() == [FEW_IN_ALL]
    assert measure_robustness(table(17, {3: 1, 4: 1})).cautions.tolist() == [""]


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
