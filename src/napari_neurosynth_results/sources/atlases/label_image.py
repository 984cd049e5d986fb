"""An atlas of the user's own: a label image and the file that names its labels.

The image may also have one volume of probabilities for each region.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.maps.names import split_extension
from napari_neurosynth_results.sources.atlases.label_names import find_names, read_names
from napari_neurosynth_results.sources.files.images import (
    DEFAULT_LIMIT,
    open_image,
    read_region,
)
from napari_neurosynth_results.sources.files.safe_names import legible
from napari_neurosynth_results.sources.files.volumes import VolumeFile, reading_error

AnyPath = str | os.PathLike[str]
LabelVoxels = npt.NDArray[np.int32]

#: A place has no region when even the likeliest is less likely than this (FSL's own
#: summaries use it too).
_LEAST_PROBABILITY = 0.25
#: Bytes for a voxel: as stored, scaled, turned, the highest so far and its region.
_BYTES = 20
#: float32, in which voxels come in, holds every whole number up to here.
_LARGEST = 2**24
_MOST_LABELS = 100_000
#: Headers of probabilities may promise more than is ever in memory.
_MOST_PROMISED = 64 * 2**30
#: What is left of a whole number that was scaled on its way.
_ROUNDING = 1e-3
#: What the first entry of a list that starts at 0 is called when 0 is no region.
_NOTHING = ("background", "unknown", "clear label", "???", "none", "outside", "unlab")


def read_atlas(
    source: AnyPath,
    names: AnyPath | Mapping[int, str] | None = None,
    *,
    max_bytes: int = DEFAULT_LIMIT,
    job: Job | None = None,
) -> Atlas:
    """Open a label image with its names as an atlas.

    Parameters
    ----------
    source : path
        An image in MNI space: one volume of labels, or one volume of probabilities for
        each region.
    names : path or mapping of int to str, optional
        The file that names the labels: see `read_names`. Looked for beside the image
        when not given; labels are called by their numbers when there is none.
    max_bytes : int
        Refuse files that would need more memory than this.
    job : Job, optional
        Hears how far it is, and may stop it.

    Returns
    -------
    Atlas
        ``notices`` says which file the names came from, and what is doubtful.

    Raises
    ------
    ResultsError
        With the file and what to do, when it is no atlas in MNI space.
    """
    path = os.path.expanduser(os.fspath(source))
    labels, grid, notices, count = read_labels(path, max_bytes, job)
    if names is None:
        names = find_names(path)
        notices += (
            ("no file of names was found beside it: labels are called by number",)
            if names is None
            else (f"its names are from {legible(os.path.basename(names))}",)
        )
    if names is None or isinstance(names, Mapping):
        table: dict[int, str] = dict(names or {})
        told: tuple[str, ...] = ()
    else:
        file = os.path.expanduser(os.fspath(names))
        table, told = fit_names(read_names(file), labels, file, path, count)
    name = legible(os.path.basename(path))
    return Atlas(
        split_extension(name)[0] or name,
        labels,
        grid,
        table,
        citation=f"read from {name}",
        notices=notices + told,
    )


def read_labels(
    path: str, max_bytes: int = DEFAULT_LIMIT, job: Job | None = None
) -> tuple[LabelVoxels, Grid, tuple[str, ...], int]:
    """Read the voxels of an atlas.

    Parameters
    ----------
    path : str
        Any image that `open_image` reads.
    max_bytes : int
        Refuse files that would need more memory than this.
    job : Job, optional
        Hears how far it is, and may stop it.

    Returns
    -------
    labels : ndarray of int32, shape (i, j, k)
        RAS+; never below 0. Of probabilities, 1 for the first volume.
    grid : Grid
        Where they are, in MNI mm.
    notices : tuple of str
        What is doubtful.
    count : int
        Number of volumes of probabilities; 0 for a volume of labels.

    Raises
    ------
    ResultsError
        When these are no labels in MNI space.
    """
    volumes = open_image(path, _MOST_PROMISED)
    grid = volumes[0].grid
    if doubt := grid.mni_doubt():
        raise ResultsError(
            f"{path} is not in MNI space: {doubt}. Use an atlas in MNI152 space; "
            "regions would be named wrongly."
        )
    notices = volumes[0].notices
    if len(volumes) > 1:
        labels = find_likeliest_regions(volumes, max_bytes, job)
        least = f"{_LEAST_PROBABILITY:.0%}"
        told = f"the likeliest region counts where it has at least {least}"
        return labels, grid, (*notices, told), len(volumes)
    voxels, grid = read_region(path, max_bytes)
    return _as_labels(voxels, path), grid, notices, 0


def fit_names(
    names: Mapping[int, str], labels: LabelVoxels, file: str, path: str, count: int
) -> tuple[dict[int, str], tuple[str, ...]]:
    """Bring the names of a file together with the labels of an image.

    Parameters
    ----------
    names : mapping of int to str
        As numbered in the file.
    labels : ndarray of int
        Of the image.
    file, path : str
        Of names and image, for messages.
    count : int
        Number of volumes of probabilities; 0 for labels.

    Returns
    -------
    names : dict of int to str
        By label. Lists that count from 0 are counted from 1.
    notices : tuple of str
        What was assumed, and what has no name.

    Raises
    ------
    ResultsError
        When the file names another atlas.
    """
    there = _labels_in(labels)
    notices: list[str] = []
    table = dict(names)
    name = os.path.basename(file)
    if _from_zero(table, int(there.max(initial=0)), count):
        table = {label + 1: text for label, text in table.items()}
        notices.append(f"{name} counts from 0: its first name is that of label 1")
    unnamed = [int(label) for label in there if label not in table]
    if len(there) and len(unnamed) == len(there):
        raise ResultsError(
            f"{file} names none of the labels of {path} (it has {_some(sorted(table))};"
            f" the image has {_some(unnamed)}). Give the file that belongs to it."
        )
    if unnamed:
        notices.append(
            f"{name} has no name for {counted(len(unnamed), 'label')}: {_some(unnamed)}"
        )
    return table, tuple(notices)


def _labels_in(labels: LabelVoxels) -> npt.NDArray[np.intp]:
    """List the labels of an image from the smallest, without 0.

    Much faster than sorting millions of voxels.
    """
    seen = np.zeros(int(labels.max(initial=0)) + 1, bool)
    seen[labels.ravel(order="K")] = True
    seen[0] = False
    return np.flatnonzero(seen)


def find_likeliest_regions(
    volumes: list[VolumeFile], max_bytes: int, job: Job | None = None
) -> npt.NDArray[np.int32]:
    """Find the likeliest region at each voxel, where each region is a volume.

    Such an image may need gigabytes, so its volumes pass by one at a time.

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
        1 for the first volume; 0 where no region reaches 25 %; RAS+.

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
            for n, volume in enumerate(first.layout.read_each(first.shape, count), 1):
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
        raise reading_error(first.path, error) from error
    least = _LEAST_PROBABILITY if highest.max() <= 1 else 100 * _LEAST_PROBABILITY
    regions[highest < least] = 0
    if not regions.any():
        raise ResultsError(
            f"{first.path} holds {count} volumes, but no probabilities of regions: "
            f"none reaches {_LEAST_PROBABILITY:.0%}. An atlas of labels has one volume."
        )
    return first.reorientation.apply(regions, smooth=False).astype(np.int32, order="K")


def _check(volume: Voxels, path: str) -> None:
    low = float(np.fmin.reduce(volume, axis=None))
    high = float(np.fmax.reduce(volume, axis=None))
    if low < 0 or high > 100:
        raise ResultsError(
            f"{path} holds several volumes that are not probabilities of regions (they "
            f"range from {low:.4g} to {high:.4g}). An atlas is one volume of labels, "
            "or one volume of probabilities for each region."
        )


def _as_labels(voxels: Voxels, path: str) -> LabelVoxels:
    """Make whole numbers of what a file holds, or say why it holds no labels."""
    # NaN is outside, as everywhere.
    values = np.nan_to_num(voxels)
    low, high = float(values.min()), float(values.max())
    if low < 0:
        raise ResultsError(
            f"{path} holds {low:g}, but labels are never below 0. It may be a "
            "statistical map; if it is an atlas, number its regions from 1."
        )
    if high >= _LARGEST:
        raise ResultsError(
            f"{path} holds {high:,.0f}: labels have to be below {_LARGEST:,}. Number "
            "its regions anew."
        )
    whole = np.rint(values)
    if (off := np.abs(values - whole)).max() > _ROUNDING:
        raise ResultsError(
            f"{path} holds fractions such as {values.flat[int(off.argmax())]:g}: it is "
            "a map of numbers, not an atlas of labels. If it was resampled, resample "
            "it again with the nearest neighbor."
        )
    if high == 0:
        raise ResultsError(f"{path} holds no label: all of it is 0.")
    labels = whole.astype(np.int32, order="K")
    if (n := len(_labels_in(labels))) > _MOST_LABELS:
        raise ResultsError(f"{path} holds {n:,} different numbers: it is not an atlas.")
    return labels


def _from_zero(names: Mapping[int, str], largest: int, count: int) -> bool:
    """Whether a list numbers regions from 0, where the image numbers them from 1."""
    if 0 not in names or names[0].lower().startswith(_NOTHING):
        return False
    last = count or largest
    # One name for each, and none left over for the last label.
    return max(names) == last - 1 and len(names) == last


def _some(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    return f"{shown}, ..." if len(numbers) > 5 else shown
