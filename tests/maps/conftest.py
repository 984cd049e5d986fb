"""What tests of maps share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


@pytest.fixture
def ale(rng: np.random.Generator, inside: Bool) -> dict[str, Array]:
    """Uncorrected maps of an ALE: z and logp are 0 at many places inside."""
    p = np.where(inside, rng.uniform(0.001, 0.999, inside.shape), 0)
    stat = np.where(inside, rng.uniform(0.1, 1, inside.shape), 0)
    with np.errstate(divide="ignore"):
        return {
            "z": np.where(inside & (p < 0.5), 2.0, 0),
            "p": p,
            "logp": np.where(inside & (p < 0.9), -np.log10(p), 0),
            "stat": stat,
        }
