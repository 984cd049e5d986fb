# /// script
# requires-python = ">=3.11"
# dependencies = ["nimare==0.22.1"]
# ///
"""Make the sample result that the viewer opens from its File menu.

The sample lets people try the viewer, and the tests run, without a network and
without a meta-analysis of one's own. It has to be a real result with all the
files that NiMARE writes, because the viewer's work is to read those files
together. The pain studyset that NiMARE ships is small enough for that.

Run it into an empty folder, for example with
``uv run scripts/make_sample.py some/folder``.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import platform
from importlib.metadata import distribution, version
from pathlib import Path

NIMARE_VERSION = "0.22.1"
SEED = 1425
N_ITERS = 1000
VOXEL_P = 0.001
MAX_BYTES = 2_000_000
STUDYSET = "nidm_pain_studyset.json"
N_STUDIES, N_FOCI = 21, 267
VERSIONED = ("nimare", "nilearn", "nibabel", "numpy", "scipy", "pandas", "numba")
DEFAULT_OUTPUT = (
    Path(__file__).resolve().parents[1]
    / "src/napari_neurosynth_results/sample/pain-ale"
)

PROVENANCE = """\
# Provenance of this sample

An activation likelihood estimation (ALE) meta-analysis of {n_studies} studies of
pain ({n_foci} foci), in MNI152 space at 2 mm.

## How it was made

`scripts/make_sample.py` of this repository wrote every file of this folder in one
run. It is what NiMARE's `CBMAWorkflow` does:

- estimator: ALE, approximate null distribution;
- correction: family-wise error, Monte Carlo, {n_iters} iterations, cluster-forming
  threshold p < {voxel_p} (one-tailed), seed {seed} (`random_state` of the estimator);
- diagnostics: FocusCounter and Jackknife, on the clusters of the cluster-mass map
  (NiMARE's defaults: z > 1.65, at least 10 voxels).

With {n_iters} iterations the smallest corrected p is {grain}.

The maps are NiMARE's, voxel for voxel. They were only compressed again (gzip level 9,
no time stamp), so that the same numbers always give the same bytes. No map was left
out.

The seed fixes the numbers on one machine with these versions; other versions or
processors may change the last digits.

| | version |
|---|---|
{versions}

## Sources

- Coordinates and sample sizes: `{studyset}`, shipped with NiMARE {nimare}
  (sha256 `{studyset_sha}`). `studyset.json` is the same without what is not
  needed to find foci and people: images, conditions and empty texts.
- NiMARE's developers built that studyset from NeuroVault collection 1425,
  "21 pain studies": <https://neurovault.org/collections/1425/>.

`LICENSE.txt` has the terms. `references.bib` lists what to cite for the method.

## Checksums (sha256)

| file | bytes | sha256 |
|---|---|---|
{checksums}
"""

LICENSE = """\
The maps, tables and texts in this folder
=========================================

The maps and tables were computed by the napari-neurosynth-results project, which
dedicates them to the public domain under CC0 1.0 Universal:
https://creativecommons.org/publicdomain/zero/1.0/
To the extent possible under law, the project waives all copyright and related or
neighboring rights to them. They come without any warranty.

The coordinates behind them, which studyset.json holds, come from the studyset that
NiMARE ships (MIT license, below). The images of its studies are in NeuroVault
collection 1425, under CC0:
https://neurovault.org/collections/1425/

boilerplate.txt and references.bib are text that NiMARE generates; they are under
NiMARE's license.

NiMARE
======

{nimare_license}"""


def sha256(path: Path) -> str:
    """Return the sha256 of a file as hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def recompress(path: Path) -> None:
    """Compress a gzip file again, so that its bytes depend on its content only.

    Parameters
    ----------
    path : Path
        A gzip file, replaced in place.
    """
    content = gzip.decompress(path.read_bytes())
    # An empty name and mtime=0 keep the output folder and the clock out of the
    # header. GzipFile, unlike gzip.compress, writes one header on all Pythons.
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=raw, mtime=0) as zipped,
    ):
        zipped.write(content)


def run_meta_analysis(output: Path, n_iters: int, n_cores: int) -> Path:
    """Run the meta-analysis and write its maps, tables and texts.

    Parameters
    ----------
    output : Path
        Folder that receives the files.
    n_iters : int
        Number of Monte Carlo iterations.
    n_cores : int
        Number of processes; it does not change the numbers.

    Returns
    -------
    Path
        The studyset that was analyzed.
    """
    # Imported here: the version is checked first, and --help stays fast.
    from nimare.correct import FWECorrector
    from nimare.diagnostics import FocusCounter, Jackknife
    from nimare.meta import ALE
    from nimare.nimads import Studyset
    from nimare.utils import get_resource_path
    from nimare.workflows import CBMAWorkflow

    source = Path(get_resource_path()) / STUDYSET
    studyset = Studyset(str(source))
    found = len(studyset.studies), len(studyset.coordinates)
    if found != (N_STUDIES, N_FOCI):
        raise SystemExit(
            f"expected {(N_STUDIES, N_FOCI)} studies and foci, not {found}"
        )
    CBMAWorkflow(
        estimator=ALE(random_state=SEED),
        corrector=FWECorrector(
            method="montecarlo", voxel_thresh=VOXEL_P, n_iters=n_iters, n_cores=n_cores
        ),
        diagnostics=[FocusCounter(), Jackknife()],
        output_dir=str(output),
        n_cores=n_cores,
    ).fit(studyset)
    return source


def write_studies(source: Path, output: Path) -> None:
    """Write the studies with their foci and sample sizes, and nothing else.

    Parameters
    ----------
    source : Path
        NiMARE's studyset.
    output : Path
        Folder that receives ``studyset.json``, a NIMADS studyset like its source.
    """
    studyset = json.loads(source.read_text(encoding="utf-8"))
    studies = [
        {
            "id": study["id"],
            "name": study["name"],
            "analyses": [
                {key: analysis[key] for key in ("id", "name", "metadata", "points")}
                for analysis in study["analyses"]
            ],
        }
        for study in studyset["studies"]
    ]
    shorter = {"id": studyset["id"], "name": studyset["name"], "studies": studies}
    text = json.dumps(shorter, separators=(",", ":"))
    (output / "studyset.json").write_text(f"{text}\n", encoding="utf-8")


def write_texts(output: Path, studyset: Path, n_iters: int) -> None:
    """Write the license and the provenance beside the data.

    Parameters
    ----------
    output : Path
        Folder with the data.
    studyset : Path
        The studyset that was analyzed.
    n_iters : int
        Number of Monte Carlo iterations.
    """
    nimare_license = distribution("nimare").read_text("LICENSE")
    if not nimare_license:
        raise SystemExit("the installed NiMARE has no license text")
    license_text = LICENSE.format(nimare_license=nimare_license)
    (output / "LICENSE.txt").write_text(license_text, encoding="utf-8")
    versions = {"Python": platform.python_version()} | {
        n: version(n) for n in VERSIONED
    }
    provenance = PROVENANCE.format(
        n_studies=N_STUDIES,
        n_foci=N_FOCI,
        n_iters=n_iters,
        voxel_p=VOXEL_P,
        seed=SEED,
        grain=1 / n_iters,
        versions="\n".join(f"| {name} | {v} |" for name, v in versions.items()),
        studyset=studyset.name,
        nimare=NIMARE_VERSION,
        studyset_sha=sha256(studyset),
        checksums="\n".join(
            f"| `{path.name}` | {path.stat().st_size} | `{sha256(path)}` |"
            for path in sorted(output.iterdir())
        ),
    )
    (output / "PROVENANCE.md").write_text(provenance, encoding="utf-8")


def main() -> None:
    """Make the sample and check its size."""
    parser = argparse.ArgumentParser(description="Make the viewer's sample result.")
    parser.add_argument("output", nargs="?", type=Path, default=DEFAULT_OUTPUT)
    parser.add_argument("--n-iters", type=int, default=N_ITERS)
    parser.add_argument("--n-cores", type=int, default=2)
    args = parser.parse_args()
    output: Path = args.output
    if version("nimare") != NIMARE_VERSION:
        raise SystemExit(f"needs NiMARE {NIMARE_VERSION}, found {version('nimare')}")
    # Files of an earlier run would be listed as if this run had made them.
    if output.exists() and any(output.iterdir()):
        raise SystemExit(f"{output} is not empty")
    output.mkdir(parents=True, exist_ok=True)

    studyset = run_meta_analysis(output, args.n_iters, args.n_cores)
    for path in output.glob("*.nii.gz"):
        recompress(path)
    write_studies(studyset, output)
    write_texts(output, studyset, args.n_iters)

    size = sum(path.stat().st_size for path in output.iterdir())
    print(f"{output}: {size} bytes")
    if size > MAX_BYTES:
        raise SystemExit(f"over the limit of {MAX_BYTES} bytes for a bundled sample")


if __name__ == "__main__":
    main()
