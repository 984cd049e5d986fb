"""What has to be known of corrected maps: whose p they count, and what is guessed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from helpers.corrected_maps import (
    BONFERRONI,
    FDR,
    MONTE_CARLO,
    corrected_test,
    framed,
)
from napari_neurosynth_results import ResultSet, find_clusters

Opened = Callable[..., ResultSet]
Array = npt.NDArray[Any]

#: ALE subtraction gives each direction a one-tailed p of its own.
TEST = "desc-group1MinusGroup2"


def two_directions(rng: np.random.Generator) -> dict[str, Array]:
    """Return a test with a one-tailed p each way, and what NiMARE corrects of it."""
    z = rng.normal(0, 2, (7, 8, 7))
    p = stats.norm.sf(np.abs(z))
    q = stats.false_discovery_control(p, axis=None).reshape(p.shape)
    inner = {
        f"z_{TEST}": z,
        f"p_{TEST}": p,
        f"p_{TEST}_{FDR}": q,
        f"p_{TEST}_{BONFERRONI}": np.minimum(p * p.size, 1),
    }
    return {stem: framed(values) for stem, values in inner.items()}


def about_directions(notices: tuple[str, ...]) -> list[str]:
    return [one for one in notices if "one direction" in one]


def test_what_nimare_corrected_of_two_directions_counts_one(
    opened: Opened, rng: np.random.Generator
) -> None:
    results = opened(two_directions(rng))
    test = results[f"z_{TEST}"]
    for method, asked in ((FDR, "q"), (BONFERRONI, "bonferroni")):
        statmap = results[f"p_{TEST}_{method}"]
        found = find_clusters(statmap, p=0.05, atlas=None)
        (told,) = about_directions(found.notices)
        assert told.startswith(f"The {found.p_word} of {statmap.title} counts one")
        # What it advises.
        half = find_clusters(statmap, p=0.025, atlas=None)
        both = find_clusters(test, atlas=None, **{asked: 0.05})
        assert np.array_equal(half.labels > 0, both.labels > 0)
        assert (found.labels > 0).sum() > (half.labels > 0).sum() > 0
        assert not about_directions(both.notices)
    # Beside the uncorrected map it is said with the columns that hold it.
    beside = find_clusters(test, p=0.001, atlas=None)
    assert len(about_directions(beside.whose_p)) == 2
    one_side = find_clusters(test, p=0.001, tail="positive", atlas=None)
    assert not about_directions(one_side.whose_p)


@pytest.mark.parametrize("tail", ["one", "two"])
def test_one_p_a_voxel_needs_no_such_word(
    opened: Opened, rng: np.random.Generator, tail: str
) -> None:
    results = opened(corrected_test(tail, FDR, rng))
    found = find_clusters(results[f"z_{FDR}"], p=0.05, atlas=None)
    assert len(found)
    assert not about_directions(found.notices)


def test_p_at_peaks_by_a_guessed_tail(opened: Opened, rng: np.random.Generator) -> None:
    maps = corrected_test("two", MONTE_CARLO, rng)
    whole = find_clusters(opened(maps)[f"z_{MONTE_CARLO}"], p=0.05, atlas=None)
    assert not any("a guess" in notice for notice in whole.notices)
    no_p = {key: one for key, one in maps.items() if key != "p"}
    alone = find_clusters(opened(no_p)[f"z_{MONTE_CARLO}"], p=0.05, atlas=None)
    assert alone.test is not None
    assert alone.test.statmap.tail_is_guess
    assert [notice for notice in alone.notices if "a guess" in notice] == [
        f"The p of the test are read off {alone.values.title} as two-tailed, a guess: "
        "no name and no map beside it tells."
    ]
