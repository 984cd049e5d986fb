"""What has to be known of corrected maps: whose p they count, and what is guessed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage, stats

from helpers.corrected_maps import (
    BONFERRONI,
    FDR,
    MONTE_CARLO,
    corrected_test,
    framed,
)
from napari_neurosynth_results import ResultSet, find_clusters
from napari_neurosynth_results.statistics.thresholds.first_look import first_look

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


PREDICTED = "_corr-FWE_method-predictive"


@pytest.fixture
def predicted(rng: np.random.Generator) -> dict[str, Array]:
    """Return an ALE, and what is left of it above cutoffs that NiMARE predicted.

    As `nimare.meta.cbma.ale` of NiMARE 0.22.1 writes them: the z and p of the test
    itself in what passes, and p = 1 elsewhere.
    """
    z = np.abs(rng.normal(size=(12, 12, 12)))
    z[2:5, 2:5, 2:5] = 4 + rng.uniform(size=(3, 3, 3))
    z[8, 8, 8] = 5
    p = stats.norm.sf(z)
    maps = {"z": z, "p": p, "logp": -np.log10(p)}
    large = np.zeros(z.shape, bool)
    large[2:5, 2:5, 2:5] = True
    for end, kept in (
        ("level-voxel", z > 4.5),
        ("desc-size_level-cluster", large),
    ):
        maps[f"z_{end}{PREDICTED}"] = np.where(kept, z, 0)
        maps[f"p_{end}{PREDICTED}"] = np.where(kept, p, 1)
        maps[f"logp_{end}{PREDICTED}"] = np.where(kept, -np.log10(p), 0)
    return {stem: framed(values) for stem, values in maps.items()}


@pytest.mark.parametrize("value", ["z", "p", "logp"])
@pytest.mark.parametrize("end", ["level-voxel", "desc-size_level-cluster"])
def test_what_passes_a_predicted_cutoff_has_no_corrected_p(
    opened: Opened, predicted: dict[str, Array], value: str, end: str
) -> None:
    results = opened(predicted)
    statmap = results[f"{value}_{end}{PREDICTED}"]
    assert (statmap.correction, statmap.level) == (None, None)
    assert "predicted cutoff" in statmap.title
    found = find_clusters(statmap, p=0.001, atlas=None)
    kept = predicted[f"z_{end}{PREDICTED}"] != 0
    assert kept.any()
    assert np.array_equal(found.labels > 0, kept)
    # Not a cluster a voxel, each "significant" at an uncorrected p.
    assert len(found.table) == ndimage.label(kept)[1]
    assert found.table["significant"].isna().all()
    assert "p_FWE" not in str(found)
    assert any("a cutoff that NiMARE predicted" in one for one in found.notices)
    look = first_look(statmap)
    assert look is not None
    assert look.n_voxels == kept.sum()


def test_a_predicted_cutoff_corrects_no_p_of_other_maps(
    opened: Opened, predicted: dict[str, Array]
) -> None:
    found = find_clusters(opened(predicted)["z"], p=0.001, atlas=None)
    assert found.corrected[["p_fwe_size", "peak_p_fwe"]].isna().all(axis=None)


def test_z_of_one_test_beside_p_of_another(
    opened: Opened, rng: np.random.Generator
) -> None:
    z = rng.normal(size=(9, 9, 9))
    other = stats.norm.sf(rng.normal(size=z.shape))
    fits = opened({"z": framed(z), "p": framed(stats.norm.sf(z))})
    found = find_clusters(fits["z"], p=0.05, atlas=None)
    assert str(found).startswith("z >= 1.64 (p <= .05, one-tailed)")
    assert not found.notices

    results = opened({"z": framed(z), "p": framed(other)})
    found = find_clusters(results["z"], p=0.05, atlas=None)
    # No height of z keeps these voxels.
    assert str(found).startswith("z (p <= .05, by its p map, ")
    (told,) = found.notices
    assert "do not say the same" in told
    assert told.endswith("no height of z stands for it.")


def test_a_map_that_was_cut_says_so_at_every_threshold(
    opened: Opened, rng: np.random.Generator
) -> None:
    z = np.abs(rng.normal(size=(14, 14, 14)))
    statmap = opened({"zstat1": np.where(z > 2.3, z, 0)})["zstat1"]
    for asked in ({"p": 0.05}, {"value": 2.5}):
        (told,) = find_clusters(statmap, atlas=None, **asked).notices
        assert told.startswith("zstat1 was thresholded before, by an unknown program")
    whole = opened({"zstat1": z})["zstat1"]
    assert find_clusters(whole, p=0.05, atlas=None).notices == ()
