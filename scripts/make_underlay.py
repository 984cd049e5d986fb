# /// script
# requires-python = ">=3.11"
# dependencies = ["nilearn==0.14.1"]
# ///
"""Make the brain images of the package: 1 mm to look at, 2 mm to count with.

nilearn ships the template, but importing nilearn takes seconds. So the package carries
two copies, which load without nilearn: one of 1 mm, which the viewer draws under the
maps, and one on the usual 2 mm grid of maps, which says what is inside of the brain.

Keep ``MNI152-LICENSE.txt`` beside the images: the template's license asks for it.
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
#: Voxels of 2 mm, and of 1 mm in the same box.
SHAPES = {2: (91, 109, 91), 1: (181, 217, 181)}
CORNER = (-90, -126, -72)
MAX_BYTES = {2: 300_000, 1: 1_800_000}
DESCRIPTION = "MNI152NLin2009aSym T1w brain, {} mm; (C) 1993-2004 L. Collins, McGill"
DEFAULT_FOLDER = (
    Path(__file__).resolve().parents[1] / "src/napari_neurosynth_results/anatomy/data"
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


def make_underlay(size: int) -> nib.Nifti1Image:
    """Return the skull-stripped T1 template on the usual MNI grid.

    Parameters
    ----------
    size : {1, 2}
        Of voxels, in mm.

    Returns
    -------
    nibabel.Nifti1Image
        8-bit image, RAS+ with a diagonal affine.
    """
    # Imported here: the version is checked first.
    from nilearn.datasets import load_mni152_template
    from nilearn.image import resample_img

    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = CORNER
    # Every voxel center of these grids is one of the template's as well, so this picks
    # voxels and blurs nothing.
    resampled = resample_img(
        load_mni152_template(resolution=1),
        target_affine=affine,
        target_shape=SHAPES[size],
        interpolation="continuous",
    )
    underlay = nib.Nifti1Image(stretch(resampled.get_fdata()), affine)
    underlay.set_sform(affine, MNI_CODE)
    underlay.set_qform(affine, MNI_CODE)
    underlay.header.set_xyzt_units("mm")
    underlay.header["descrip"] = DESCRIPTION.format(size)
    underlay.header["cal_max"] = 255
    return underlay


def save(underlay: nib.Nifti1Image, output: Path, most: int) -> None:
    """Write an image, the same bytes each time, and check its size."""
    output.parent.mkdir(parents=True, exist_ok=True)
    # An empty name and mtime=0 keep this folder and the clock out of the file.
    with (
        output.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=raw, mtime=0) as zipped,
    ):
        zipped.write(underlay.to_bytes())
    size = output.stat().st_size
    print(f"{output}: {size} bytes")
    if size > most:
        raise SystemExit(f"over the limit of {most} bytes for a bundled image")


def main() -> None:
    """Write both images."""
    parser = argparse.ArgumentParser(description="Make the viewer's brain images.")
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT_FOLDER)
    folder: Path = parser.parse_args().folder
    if version("nilearn") != NILEARN_VERSION:
        raise SystemExit(f"needs nilearn {NILEARN_VERSION}, found {version('nilearn')}")
    for size, most in MAX_BYTES.items():
        save(make_underlay(size), folder / f"mni152_t1_{size}mm.nii.gz", most)


if __name__ == "__main__":
    main()
