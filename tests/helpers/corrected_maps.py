"""Tests and their corrections as NiMARE writes them, counted by references."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, stats

Array = npt.NDArray[Any]

FDR = "corr-FDR_method-indep"
BY = "corr-FDR_method-negcorr"
BONFERRONI = "corr-FWE_method-bonferroni"
MONTE_CARLO = "level-voxel_corr-FWE_method-montecarlo"

#: Name of a corrected map -> how it is said, and the column of what it says.
CORRECTIONS = {
    FDR: ("q <= .05, Benjamini-Hochberg", "peak_q"),
    BY: ("q <= .05, Benjamini-Yekutieli", "peak_q"),
    BONFERRONI: ("p_FWE <= .05, Bonferroni", "peak_p_fwe"),
    MONTE_CARLO: ("p_FWE <= .05, Monte Carlo", "peak_p_fwe"),
}


def a_test(rng: np.random.Generator, tail: str) -> tuple[Array, Array]:
    """Return float32 z, smooth and with effects both ways, and the p of all voxels."""
    z = ndimage.gaussian_filter(rng.normal(size=(22, 24, 22)), 1.5)
    z = np.asarray(z / z.std(), np.float32).astype(float)
    z[5:8, 5:9, 5:8] += 5
    z[14:17, 14:18, 14:17] -= 5
    z = np.asarray(z, np.float32).astype(float)
    if tail == "one":
        p = stats.norm.sf(z)
        # As NiMARE writes it.
        return np.maximum(z, 0), p
    return z, 2 * stats.norm.sf(np.abs(z))


def corrected_by(name: str, p: Array, z: Array, rng: np.random.Generator) -> Array:
    """Correct p by a reference: scipy, the definition, or simulated maxima."""
    if name.endswith("bonferroni"):
        return np.minimum(p * p.size, 1)
    if name.endswith("montecarlo"):
        maxima = rng.gumbel(3.9, 0.35, size=200)
        larger = (maxima[:, np.newaxis] >= np.abs(z).ravel()).sum(axis=0)
        return np.clip(larger, 1, 199).reshape(z.shape) / 200
    method = "by" if name.endswith("negcorr") else "bh"
    return stats.false_discovery_control(p, axis=None, method=method).reshape(p.shape)


def framed(inner: Array) -> Array:
    """Put values into the mask, and 0 around them."""
    whole = np.zeros(np.add(inner.shape, 2))
    whole[1:-1, 1:-1, 1:-1] = inner
    return whole


def corrected_test(tail: str, name: str, rng: np.random.Generator) -> dict[str, Array]:
    """Return a test and its correction as NiMARE writes them."""
    z, p = a_test(rng, tail)
    q = corrected_by(name, p, z, rng)
    # FDR and Bonferroni become z two-tailed, whatever the test was.
    halves = tail == "two" or not name.endswith("montecarlo")
    z_of_q = np.maximum(stats.norm.isf(q / 2 if halves else q), 0)
    made = {
        "z": z,
        "p": p,
        f"z_{name}": np.where(z < 0, -z_of_q, z_of_q),
        f"p_{name}": q,
        f"logp_{name}": -np.log10(q),
    }
    return {stem: framed(values) for stem, values in made.items()}
