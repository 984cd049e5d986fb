# /// script
# requires-python = ">=3.11"
# dependencies = ["nilearn==0.14.1"]
# ///
"""Make the brain image that the viewer draws under the maps.

nilearn ships the template, but importing nilearn takes seconds and 1 mm is finer
than any map of a coordinate-based meta-analysis. So the package carries a copy on
the grid of those maps, which loads in a few milliseconds and without nilearn.

Keep ``MNI152-LICENSE.txt`` beside the image: the template's license asks for it.
"""

from __future__ import annotations

import argparse
import gzip
from importlib.metadata import version
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

NILEARN_VERSION = "0.14.1"
MNI_CODE = 4
SHAPE = (91, 109, 91)
CORNER = (-90, -126, -72)
MAX_BYTES = 300_000
DESCRIPTION = "MNI152NLin2009aSym T1w brain, 2 mm; (C) 1993-2004 L. Collins, McGill"
DEFAULT_OUTPUT = (
    Path(__file__).resolve().parents[1]
    / "src/napari_neurosynth_results/anatomy/data/mni152_t1_2mm.nii.gz"
)


def stretch(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Spread the intensities inside the brain over 1 to 255.

    Nine tenths of the template's brain lie in half of the 8-bit range. A few
    voxels at both ends are clipped, else they would set the contrast.

    Parameters
    ----------
    values : ndarray
        Intensities from 0 to 1, 0 outside the brain.

    Returns
    -------
    ndarray
        Intensities from 1 to 255 inside the brain, 0 outside. Inside never becomes
        0, so that the image doubles as an outline of the brain.
    """
    # Half a gray level: resampling leaves rounding errors, not zeros, outside.
    inside = values > 0.5 / 255
    low, high = np.percentile(values[inside], (0.1, 99.9))
    scaled = 1 + 254 * np.clip((values - low) / (high - low), 0, 1)
    return np.where(inside, np.rint(scaled), 0).astype(np.uint8)


def make_underlay() -> nib.Nifti1Image:
    """Return the skull-stripped T1 template on the usual 2 mm MNI grid.

    Returns
    -------
    nibabel.Nifti1Image
        8-bit image, RAS+ with a diagonal affine.
    """
    # Imported here: the version is checked first.
    from nilearn.datasets import load_mni152_template
    from nilearn.image import resample_img

    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = CORNER
    # Every voxel center of the 2 mm grid is one of the 1 mm grid as well, so this
    # picks voxels and blurs nothing.
    resampled = resample_img(
        load_mni152_template(resolution=1),
        target_affine=affine,
        target_shape=SHAPE,
        interpolation="continuous",
    )
    underlay = nib.Nifti1Image(stretch(resampled.get_fdata()), affine)
    underlay.set_sform(affine, MNI_CODE)
    underlay.set_qform(affine, MNI_CODE)
    underlay.header.set_xyzt_units("mm")
    underlay.header["descrip"] = DESCRIPTION
    underlay.header["cal_max"] = 255
    return underlay


def main() -> None:
    """Write the underlay and check its size."""
    parser = argparse.ArgumentParser(description="Make the viewer's brain image.")
    parser.add_argument("output", nargs="?", type=Path, default=DEFAULT_OUTPUT)
    output: Path = parser.parse_args().output
    if version("nilearn") != NILEARN_VERSION:
        raise SystemExit(f"needs nilearn {NILEARN_VERSION}, found {version('nilearn')}")
    underlay = make_underlay()
    output.parent.mkdir(parents=True, exist_ok=True)
    # An empty name and mtime=0 keep this folder and the clock out of the file.
    with (
        output.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=raw, mtime=0) as zipped,
    ):
        zipped.write(underlay.to_bytes())
    size = output.stat().st_size
    print(f"{output}: {size} bytes")
    if size > MAX_BYTES:
        raise SystemExit(f"over the limit of {MAX_BYTES} bytes for a bundled image")


if __name__ == "__main__":
    main()
