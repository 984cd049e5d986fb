"""An image with one volume of probabilities for each region -> the likeliest regions.

Such an image may need gigabytes, so its volumes pass by one at a time.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.statmap import Voxels
from napari_neurosynth_results.sources.volumes import VolumeFile, refusal

#: A place has no region when even the likeliest is less likely than this (FSL's own
#: summaries use it too).
LEAST = 0.25

#: Bytes for a voxel: as stored, scaled, turned, the highest so far and its region.
_BYTES = 20


def likeliest(
    volumes: list[VolumeFile], max_bytes: int, job: Job | None = None
) -> npt.NDArray[np.int32]:
    """Find the likeliest region at each voxel.

    Parameters
    ----------
    volumes : list of VolumeFile
        All volumes of one image; each holds the probabilities of a region, from 0 to 1
        or in percent.
    max_bytes : int
        Refuse an image that would need more memory than this.
    job : Job, optional
        Hears how far it is, and may stop it.

    Returns
    -------
    ndarray of int32, shape (i, j, k)
        1 for the first volume; 0 where no region reaches `LEAST`; RAS+.

    Raises
    ------
    ResultsError
        When the numbers are no probabilities, or the file is broken or too large.
    """
    first, count = volumes[0], len(volumes)
    grid = first.grid
    size = max(math.prod(first.shape), math.prod(grid.shape))
    if size * _BYTES > max_bytes:
        raise ResultsError(
            f"{first.path} would need {size * _BYTES / 2**20:,.0f} MiB in memory; the "
            f"limit is {max_bytes / 2**20:,.0f} MiB. Raise max_bytes if the file can "
            "be trusted."
        )
    highest = np.zeros(first.shape, np.float32, order="F")
    regions = np.zeros(first.shape, np.float32, order="F")
    try:
        with np.errstate(all="ignore"):
            first.layout.check_head(first.path)
            for n, volume in enumerate(first.layout.each(first.shape, count), 1):
                if job is not None:
                    job.report(first.path, n, count)
                _check(volume, first.path)
                # NaN is never higher.
                higher = volume > highest
                highest[higher] = volume[higher]
                regions[higher] = n
    except ResultsError:
        raise
    except Exception as error:  # the door for untrusted files
        raise refusal(first.path, error) from error
    least = LEAST if highest.max() <= 1 else 100 * LEAST
    regions[highest < least] = 0
    if not regions.any():
        raise ResultsError(
            f"{first.path} holds {count} volumes, but no probabilities of regions: "
            f"none reaches {LEAST:.0%}. An atlas of labels has one volume."
        )
    return first.placement.apply(regions, smooth=False).astype(np.int32, order="K")


def _check(volume: Voxels, path: str) -> None:
    low = float(np.fmin.reduce(volume, axis=None))
    high = float(np.fmax.reduce(volume, axis=None))
    if low < 0 or high > 100:
        raise ResultsError(
            f"{path} holds several volumes that are no probabilities of regions (they "
            f"range from {low:.4g} to {high:.4g}). An atlas is one volume of labels, "
            "or one volume of probabilities for each region."
        )
