"""What only the names beside a map tell: old natural logarithms, excursion sets.

NiMARE 0.0.1 to 0.0.3 wrote natural logarithms under the name of today's logp.

Read in nimare/meta/cbma at these tags: ``-np.log`` in ALE, MKDA, KDA and SCALE, and
``-np.log10`` in its FDR and Bonferroni corrections; ``ale`` and ``of`` became ``stat``
in 0.0.4, and the method ``permutation`` became ``montecarlo`` in 0.0.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import norm

from napari_neurosynth_results import find_clusters
from napari_neurosynth_results.maps.kinds import MapKind, Tail
from napari_neurosynth_results.maps.results import ResultSet

Opened = Callable[..., ResultSet]
Array = npt.NDArray[Any]
MC = "level-voxel_corr-FWE_method-montecarlo"


@pytest.fixture
def p(rng: np.random.Generator, inside: npt.NDArray[np.bool_]) -> Array:
    """Return p of 1,000 permutations, 0 among them; 1 outside."""
    p = np.round(rng.uniform(size=inside.shape) ** 3, 3)
    p[3, 3, 3:5] = 0
    return np.where(inside, p, 1)


def log(p: Array, base: float) -> Array:
    # A p of 0 got the smallest step of float64.
    return -np.log(np.where(p > 0, p, np.finfo(float).eps)) / np.log(base)


def z_of(p: Array) -> Array:
    return np.maximum(norm.isf(np.where(p > 0, p, 1e-16)), 0)


@pytest.mark.parametrize("statistic", ["ale", "of"])
def test_the_release_is_told_by_the_statistic_beside(
    opened: Opened, p: Array, statistic: str
) -> None:
    results = opened(
        {
            statistic: 1 - p,
            f"logp_{MC}": log(p, np.e),
            f"z_{MC}": z_of(p),
            "logp_corr-FWE_method-bonferroni": log(p, 10),
        }
    )
    logp, z = results[f"logp_{MC}"], results[f"z_{MC}"]
    assert (logp.kind, logp.doubt) == (MapKind.LNP, "")
    assert logp.title == "-ln p, voxel-level FWE (Monte Carlo)"
    assert results["logp_corr-FWE_method-bonferroni"].kind is MapKind.LOGP
    assert (z.tail, logp.tail, z.tail_is_guess) == (Tail.ONE, Tail.ONE, False)
    for statmap in (logp, z):
        found = find_clusters(statmap, p=0.05, atlas=None)
        assert np.array_equal(found.labels > 0, p <= 0.05)


def test_the_release_is_told_by_its_word_for_the_method(
    opened: Opened, p: Array
) -> None:
    stem = "logp_level-cluster_corr-FWE_method-permutation"
    assert opened({stem: log(p, np.e)})[stem].kind is MapKind.LNP


def test_today_s_logp_is_what_it_says(opened: Opened, p: Array) -> None:
    maps = {"stat": 1 - p, f"logp_{MC}": log(p, 10), f"z_{MC}": z_of(p)}
    for some in (maps, {f"logp_{MC}": maps[f"logp_{MC}"]}):
        logp = opened(some)[f"logp_{MC}"]
        assert (logp.kind, logp.doubt) == (MapKind.LOGP, "")


def test_beside_its_z_it_is_doubted_and_states_no_p(opened: Opened, p: Array) -> None:
    results = opened({f"logp_{MC}": log(p, np.e), f"z_{MC}": z_of(p)})
    logp, z = results[f"logp_{MC}"], results[f"z_{MC}"]
    assert "beside its z map these are natural logarithms" in logp.doubt
    assert any(f"logp_{MC}: its name says" in one for one in results.problems)
    # The z says its own p meanwhile.
    assert np.array_equal(find_clusters(z, p=0.05, atlas=None).labels > 0, p <= 0.05)
    results.take_as({f"logp_{MC}": "lnp"})
    logp = results[f"logp_{MC}"]
    assert (logp.doubt, logp.correction, logp.level) == ("", "FWE", "voxel")
    assert np.array_equal(find_clusters(logp, p=0.05, atlas=None).labels > 0, p <= 0.05)


def test_alone_it_is_doubted_where_no_permutations_give_such_p(
    opened: Opened, p: Array
) -> None:
    stem = f"logp_{MC}"
    lone = log(np.where(p > 0, p, 1 / 10_000), np.e)
    assert "no permutations give p = 10^-9.21" in opened({stem: lone})[stem].doubt
    # 36.04 stood for p = 0.
    assert "no permutations" in opened({stem: log(p, np.e)})[stem].doubt
    # Where nothing tells, it is believed; where the text does, it is not.
    few = log(np.where(p > 0, p, 1 / 1000), np.e)
    assert opened({stem: few})[stem].doubt == ""
    text = "Family-wise error correction; 1000 iterations were performed."
    told = opened({stem: few}, {"boilerplate.txt": text})[stem]
    assert "fits 1,000 iterations only as natural logarithms" in told.doubt


@pytest.mark.parametrize(
    ("beside", "kind"),
    [
        (["ZStatistic_T001", "TStatistic_T001"], MapKind.Z),
        (["ZStatistic"], MapKind.Z),
        (["TStatistic"], MapKind.T),
        (["FStatistic"], MapKind.F),
        (["TStatistic", "FStatistic"], MapKind.OTHER),
        (["Contrast"], MapKind.OTHER),
        ([], MapKind.OTHER),
    ],
)
def test_an_excursion_set_holds_what_the_statistic_of_its_pack_does(
    opened: Opened, p: Array, beside: list[str], kind: MapKind
) -> None:
    values = np.abs(norm.isf(np.where(p > 0, p, 0.5) / 2))
    maps = dict.fromkeys(beside, values)
    results = opened(maps | {"ExcursionSet": np.where(values > 2, values, 0)})
    statmap = results["ExcursionSet"]
    assert (statmap.kind, statmap.cut) == (kind, "its program")
    assert statmap.file.reading.program == "NIDM-Results"
