"""Meta-analyses of a few experiments, as releases of NiMARE fitted them.

`scripts/make_study_references.py` made the files.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from helpers.maps_in_memory import made
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.studies import Studies
from napari_neurosynth_results.sources.studies.nimads import parse_studies

FITS = Path(__file__).parents[1] / "statistics/studies/nimare"
RADIUS = "convolved with a sphere with a radius of 8.0 and a value of 1."


def fit_of(
    release: str, method: str, mirrored: bool = False
) -> tuple[ResultSet, Studies]:
    """Return maps that a release of NiMARE made of a few experiments, and these."""
    file = np.load(FITS / f"small-{release}.npz")
    maps = {}
    for value in ("stat", "p"):
        volume = np.zeros(file["mask"].shape, np.float32)
        volume[file["mask"]] = file[f"{method}{'-mirrored' * mirrored}-{value}"]
        maps[value] = volume
    results = made(maps, file["affine"])
    results.methods = RADIUS if method in ("mkda", "kda") else ""
    return results, parse_studies(json.loads(str(file["studyset"])), None, None)
