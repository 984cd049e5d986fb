"""Effects of image-based meta-analyses, against formulas written down anew."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

import napari_neurosynth_results as nnr
from napari_neurosynth_results import ResultSet
from napari_neurosynth_results.statistics.clusters.effects import (
    EFFECT_COLUMNS,
    find_effects,
)

Array = npt.NDArray[Any]
Opened = Callable[..., ResultSet]
SHAPE = (8, 9, 8)
#: An example that PyMARE 0.0.13 and metafor agree on to all digits.
Y = np.array([0.10, 0.30, 0.35, 0.65, 0.45, 0.15])
V = np.array([0.03, 0.03, 0.05, 0.01, 0.05, 0.02])


def by_hand(y: Array, v: Array) -> dict[str, float]:
    """Meta-analyze one voxel: DerSimonian and Laird 1986, Knapp and Hartung 2003."""
    k = len(y)
    w = 1 / v
    q = float((w * (y - (w * y).sum() / w.sum()) ** 2).sum())
    tau2 = max(0.0, (q - (k - 1)) / (w.sum() - (w**2).sum() / w.sum()))
    w = 1 / (v + tau2)
    est = float((w * y).sum() / w.sum())
    wald = math.sqrt(1 / w.sum())
    scale = float((w * (y - est) ** 2).sum() / (k - 1))
    return {
        **{"k": k, "est": est, "tau2": tau2, "wald": wald},
        "kh": wald * math.sqrt(scale),
        "i2": max(0.0, (q - (k - 1)) / q),
    }


def maps_of(y: Array, v: Array, errors: str) -> dict[str, Array]:
    """Write what an estimator writes; y and v have the shape (studies, i, j, k)."""
    made = {n: np.zeros(y.shape[1:]) for n in ("est", "se", "tau2", "z", "p", "dof")}
    for at in np.ndindex(y.shape[1:]):
        one = by_hand(y[(slice(None), *at)], v[(slice(None), *at)])
        dof = one["k"] - 1
        ratio = one["est"] / one[errors]
        p = 2 * (stats.t(dof) if errors == "kh" else stats.norm).sf(abs(ratio))
        z = math.copysign(stats.norm.isf(p / 2), ratio)
        values = (one["est"], one[errors], one["tau2"], z, p, dof)
        for name, value in zip(made, values, strict=True):
            made[name][at] = value
    return made


@pytest.fixture
def studies(rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the effects and variances of six studies; one voxel is the example."""
    v = rng.uniform(0.01, 0.06, (6, *SHAPE))
    between = rng.normal(scale=rng.uniform(0, 0.4, SHAPE), size=(6, *SHAPE))
    y = rng.normal(scale=np.sqrt(v)) + between
    y[:, 2:5, 2:5, 2:5] += 1.0
    y[:, 6, 6, 6], v[:, 6, 6, 6] = Y, V
    y[:, 6, 6, 6] += 0.0
    return y, v


def place(i: int, j: int, k: int) -> npt.NDArray[np.intp]:
    return np.array([np.ravel_multi_index((i, j, k), SHAPE, order="F")])


def test_the_example(opened: Opened, studies: tuple[Array, Array]) -> None:
    expected = {
        "kh": {
            **{"est": 0.3442496784, "se": 0.0895296110, "tau2": 0.0397859665},
            **{"est_low": 0.1141064867, "est_high": 0.5743928701},
            **{"pi_low": -0.2627800130, "pi_high": 0.9512793698, "i2": math.nan},
        },
        "wald": {
            **{"est": 0.3442496784, "se": 0.1067541903, "tau2": 0.0397859665},
            **{"est_low": 0.1350153103, "est_high": 0.5534840466},
            **{"pi_low": -0.2838802904, "pi_high": 0.9723796473},
            "i2": 0.5818470011,
        },
    }
    for errors, values in expected.items():
        results = opened(maps_of(*studies, errors))
        effects = find_effects(results["z"])
        assert effects is not None
        assert effects.reference == {"kh": "t", "wald": "normal"}[errors]
        found = effects.at(place(6, 6, 6))
        assert list(found) == list(EFFECT_COLUMNS)
        for column, value in values.items():
            assert found[column][0] == pytest.approx(value, abs=2e-6, nan_ok=True)


@pytest.mark.parametrize("errors", ["kh", "wald"])
def test_every_voxel_as_by_hand(
    opened: Opened, studies: tuple[Array, Array], errors: str
) -> None:
    y, v = studies
    effects = find_effects(opened(maps_of(y, v, errors))["z"])
    assert effects is not None
    found = effects.at(np.arange(math.prod(SHAPE)))
    for flat in range(0, math.prod(SHAPE), 7):
        at = (slice(None), *np.unravel_index(flat, SHAPE, order="F"))
        one = by_hand(y[at], v[at])
        q = stats.t(5).ppf(0.975) if errors == "kh" else stats.norm.ppf(0.975)
        reach = q * one[errors]
        assert found["est_low"][flat] == pytest.approx(one["est"] - reach, abs=1e-5)
        far = stats.t(4).ppf(0.975) * math.sqrt(one["tau2"] + one[errors] ** 2)
        assert found["pi_high"][flat] == pytest.approx(one["est"] + far, abs=1e-5)
        if errors == "wald":
            # Exact where all studies are equally precise.
            assert found["i2"][flat] == pytest.approx(one["i2"], abs=0.1)
    assert np.isnan(found["i2"]).all() == (errors == "kh")


def test_intervals_agree_with_p(opened: Opened, studies: tuple[Array, Array]) -> None:
    """Zero is outside of the interval where p is below .05, and only there."""
    for errors in ("kh", "wald"):
        maps = maps_of(*studies, errors)
        effects = find_effects(opened(maps)["z"])
        assert effects is not None
        found = effects.at(np.arange(math.prod(SHAPE)))
        beyond = (found["est_low"] > 0) | (found["est_high"] < 0)
        assert np.array_equal(beyond, maps["p"].ravel(order="F") < 0.05)


def test_peaks_and_clusters(opened: Opened, studies: tuple[Array, Array]) -> None:
    maps = maps_of(*studies, "kh")
    clusters = nnr.find_clusters(opened(maps)["z"], p=0.01)
    table = clusters.effects
    assert table.label.tolist() == clusters.table.label.tolist()
    assert len(table) > 1
    for row, peak in zip(table.itertuples(), clusters.peak_voxels, strict=True):
        assert row.est == pytest.approx(maps["est"][peak], abs=1e-6)
        inside = clusters.labels == row.label
        assert row.mean_est == pytest.approx(maps["est"][inside].mean(), abs=1e-6)
        assert row.mean_se == pytest.approx(maps["se"][inside].mean(), abs=1e-6)
        tau = np.sqrt(maps["tau2"][inside]).mean()
        assert row.mean_tau2 == pytest.approx(tau**2, abs=1e-6)
        reach = stats.t(5).ppf(0.975) * maps["se"][inside].mean()
        assert row.mean_est_high - row.mean_est == pytest.approx(reach, abs=1e-5)
        # With a single voxel the mean is the peak.
        if inside.sum() == 1:
            assert row.mean_pi_low == pytest.approx(row.pi_low, abs=1e-9)
    assert any("too far from 0" in told for told in table.attrs["notices"])
    assert any("Knapp and Hartung" in told for told in table.attrs["notices"])


def test_a_corrected_map_has_the_effects_of_its_test(
    opened: Opened, studies: tuple[Array, Array]
) -> None:
    maps = maps_of(*studies, "kh")
    maps["p_corr-FDR_method-indep"] = np.minimum(maps["p"] * 3, 1)
    results = opened(maps)
    found = nnr.find_clusters(results["p_corr-FDR_method-indep"], p=0.05)
    peak = tuple(np.array(found.peak_voxels[0]))
    assert found.effects.est[0] == pytest.approx(maps["est"][peak], abs=1e-6)


def test_what_is_missing_is_said_and_not_invented(
    opened: Opened, studies: tuple[Array, Array]
) -> None:
    maps = maps_of(*studies, "kh")

    def told(kept: dict[str, Array], **unknown: bool) -> str:
        effects = find_effects(opened(kept)["z"])
        assert effects is not None
        found = effects.at(place(6, 6, 6))
        for column, gone in unknown.items():
            assert np.isnan(found[column][0]) == gone, column
        return "\n".join(effects.notices)

    without = {name: values for name, values in maps.items() if name != "tau2"}
    assert "no map of the variance between studies" in told(
        without, est_low=False, pi_low=True, i2=True
    )
    without = {name: values for name, values in maps.items() if name != "se"}
    assert "no map of standard errors" in told(without, est=False, est_low=True)
    other = maps | {"se": maps["se"] * 1.3}
    assert "neither a normal nor a t" in told(other, est_low=True, pi_low=True)
    # Several images a study: Satterthwaite's degrees of freedom.
    grouped = maps | {"dof": maps["dof"] - 0.37}
    grouped["p"] = 2 * stats.t(grouped["dof"]).sf(np.abs(maps["est"] / maps["se"]))
    grouped["z"] = np.sign(maps["est"]) * stats.norm.isf(grouped["p"] / 2)
    assert "number of studies is not known" in told(
        grouped, est_low=False, pi_low=True, i2=True
    )
    two = {name: values[:2] for name, values in zip("yv", studies, strict=True)}
    few = maps_of(two["y"], two["v"], "kh")
    told(few, est_low=False, pi_low=True, i2=True)


def test_without_estimates_nothing_is_known(sample: ResultSet) -> None:
    assert find_effects(sample["z"]) is None
    found = nnr.find_clusters(sample["z"], p=0.001, min_voxels=100).effects
    assert found.drop(columns="label").isna().all(axis=None)
    assert found.attrs["notices"] == ()


def test_i2_by_sample_sizes(opened: Opened, rng: np.random.Generator) -> None:
    """SampleSizeBasedLikelihood: variances are sigma2 / n, and n is known."""
    sizes = np.array([12, 15, 20, 24, 30, 40])
    sigma2 = rng.uniform(0.3, 1.2, SHAPE)
    v = sigma2 / sizes[:, None, None, None]
    y = rng.normal(0.6, np.sqrt(v + 0.05))
    maps = maps_of(y, v, "kh") | {"sigma2": sigma2}
    studyset = {
        "studies": [
            {
                "id": f"s{n}",
                "name": f"s{n}",
                "analyses": [
                    {
                        "id": f"a{n}",
                        "name": "a",
                        "points": [{"coordinates": [0, 0, 0], "space": "MNI"}],
                        "metadata": {"sample_sizes": [int(size)]},
                    }
                ],
            }
            for n, size in enumerate(sizes)
        ]
    }
    results = opened(maps, {"studyset.json": json.dumps(studyset)})
    effects = find_effects(results["z"])
    assert effects is not None
    assert sorted(effects.sizes) == sizes.tolist()
    found = effects.at(np.arange(math.prod(SHAPE)))["i2"]
    for flat in range(0, math.prod(SHAPE), 5):
        at = (slice(None), *np.unravel_index(flat, SHAPE, order="F"))
        assert found[flat] == pytest.approx(by_hand(y[at], v[at])["i2"], abs=1e-5)
