# /// script
# requires-python = ">=3.11"
# dependencies = ["nimare==0.22.1"]
# ///
"""Make the files that tests hold rebuilt meta-analyses against: NiMARE's own fits.

Run it once a release of NiMARE, into the folder of the tests::

    uv run scripts/make_study_references.py tests/statistics/studies/nimare
    uv run --with nimare==0.21.0 scripts/make_study_references.py \
        tests/statistics/studies/nimare

It writes `small-<release>.npz`: an ALE, an MKDA, a KDA and, where the release knows it,
an MKDA weighted by sample size, of a few random experiments in a small box. Their foci
lie between voxels, where releases differ, and inside and outside of the box. With
NiMARE 0.22.1 it also writes `left-out.npz`: the ALE of the packaged sample, fitted
again without each of its experiments.
"""

from __future__ import annotations

import argparse
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

SEED = 18
SHAPE = (24, 26, 23)
VOXEL_MM = 2.0
ORIGIN = (-30.0, -40.0, -20.0)
SAMPLE = (
    Path(__file__).resolve().parents[1]
    / "src/napari_neurosynth_results/sample/pain-ale/studyset.json"
)
VERSIONED = ("nimare", "numpy", "scipy", "nibabel", "numba")
N_PROBES = 150


def affine_of(mirrored: bool) -> np.ndarray:
    """Return the affine of the small box, from the left or from the right."""
    affine = np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
    affine[:3, 3] = ORIGIN
    if mirrored:
        affine[0, 3] += VOXEL_MM * (SHAPE[0] - 1)
        affine[0, 0] *= -1
    return affine


def small_studies() -> dict[str, Any]:
    """Make a NIMADS document of experiments with foci between voxels."""
    rng = np.random.default_rng(SEED)
    low = np.array(ORIGIN) - 6
    high = np.array(ORIGIN) + VOXEL_MM * np.array(SHAPE) + 6
    studies = []
    for number in range(7):
        places = rng.integers(low, high, size=(int(rng.integers(2, 9)), 3))
        # The second number makes the mean of some no whole one.
        sizes = [int(n) for n in rng.integers(8, 40, size=1 + number % 2)]
        studies.append(
            {
                "id": f"study{number}",
                "name": f"Study {number}",
                "authors": "",
                "publication": "",
                "metadata": {},
                "analyses": [
                    {
                        "id": "1",
                        "name": "1",
                        "conditions": [],
                        "weights": [],
                        "images": [],
                        "metadata": {"sample_sizes": sizes},
                        "points": [
                            {
                                "space": "MNI",
                                "coordinates": [float(mm) for mm in place],
                                "kind": "",
                                "values": [],
                            }
                            for place in places
                        ],
                    }
                ],
            }
        )
    return {"id": "small", "name": "small", "studies": studies}


def opened(document: dict[str, Any], mask: Any = None) -> Any:
    """Open a document as the release does it."""
    from nimare.nimads import Studyset

    dataset = Studyset(document).to_dataset()
    if mask is not None:
        dataset.masker = mask
    return dataset


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add what the sample left out and NiMARE asks for."""
    for study in document["studies"]:
        study.update({"authors": "", "publication": "", "metadata": {}})
        for analysis in study["analyses"]:
            analysis.update({"conditions": [], "weights": [], "images": []})
            for point in analysis["points"]:
                point.update({"kind": "", "values": []})
    return document


def provenance() -> str:
    """Say what made a file."""
    versions = {name: version(name) for name in VERSIONED}
    return json.dumps({"python": platform.python_version(), **versions, "seed": SEED})


def write_small(folder: Path) -> None:
    """Fit all methods to the small box."""
    import nibabel as nib
    from nimare.meta.cbma.ale import ALE
    from nimare.meta.cbma.mkda import KDA, MKDADensity
    from nimare.utils import get_masker

    document = small_studies()
    rng = np.random.default_rng(SEED + 1)
    inside = np.ones(SHAPE, bool)
    inside[rng.random(SHAPE) < 0.1] = False
    found: dict[str, np.ndarray] = {"mask": inside}
    for mirrored in (False, True):
        data = inside[::-1] if mirrored else inside
        image = nib.Nifti1Image(data.astype(np.uint8), affine_of(mirrored))
        dataset = opened(document, get_masker(image))
        methods: dict[str, Any] = {"ale": ALE(mask=image)}
        methods["mkda"] = MKDADensity(mask=image, kernel__r=8)
        methods["kda"] = KDA(mask=image, kernel__r=8)
        if version("nimare") >= "0.22":
            methods["weighted"] = MKDADensity(mask=image, weighting="sample_size")
        for name, estimator in methods.items():
            result = estimator.fit(dataset)
            for value in ("stat", "p"):
                volume = result.get_map(value).get_fdata(dtype=np.float32)
                volume = volume[::-1] if mirrored else volume
                found[f"{name}{'-mirrored' * mirrored}-{value}"] = volume[inside]
    np.savez_compressed(
        folder / f"small-{version('nimare')}.npz",
        **found,
        studyset=np.array(json.dumps(document)),
        affine=affine_of(False),
        provenance=np.array(provenance()),
    )


def write_left_out(folder: Path) -> None:
    """Fit the sample without each of its experiments."""
    from nimare.meta.cbma.ale import ALE

    document = complete(json.loads(SAMPLE.read_text("utf-8")))
    dataset = opened(document)
    ids = list(dataset.ids)
    maps = []
    for out in ids:
        result = ALE().fit(dataset.slice([one for one in ids if one != out]))
        values = ("stat", "z", "p")
        maps.append([result.get_map(v).get_fdata(dtype=np.float32) for v in values])
    stat, z, p = (np.array(volumes) for volumes in zip(*maps, strict=True))
    above = (p > 0) & (p <= np.float32(0.001))
    ever = np.flatnonzero(above.any(axis=0))
    probes = np.random.default_rng(SEED).choice(ever, N_PROBES, replace=False)
    flat = {"stat": stat, "z": z}
    np.savez_compressed(
        folder / "left-out.npz",
        ids=np.array(ids),
        ever=ever.astype(np.int32),
        above=np.packbits(above.reshape(len(ids), -1)[:, ever]),
        probes=probes.astype(np.int32),
        **{name: v.reshape(len(ids), -1)[:, probes] for name, v in flat.items()},
        provenance=np.array(provenance()),
    )


def main() -> None:
    """Write the files of the release that is installed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    write_small(folder)
    if version("nimare") == "0.22.1":
        write_left_out(folder)


if __name__ == "__main__":
    main()
