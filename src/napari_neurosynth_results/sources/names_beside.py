"""Where the names of a label image are when nobody says: beside it, by its name."""

from __future__ import annotations

import os
import re

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.names import split_extension
from napari_neurosynth_results.sources.label_tables import ENDINGS, read_names

#: Files looked at in a folder that may hold anything.
_MOST_FILES = 2000
_HEAD = 8192
# Tables of BIDS leave out what does not change the labels.
_RESOLUTION = re.compile(r"_res-[0-9a-zA-Z]+")
_SAYS_LABELS = re.compile(r"(?i)label|lut|lookup|region|parcel|rois?(?![a-z])|names")


def find_names(image: str) -> str | None:
    """Find the file that names the labels of an image.

    Parameters
    ----------
    image : str
        The image.

    Returns
    -------
    str or None
        A file of the same name, but for its ending and for BIDS's ``res-``, or with
        labels for atlas; one of FSL's lists that says it is for this image; or else the
        only list of labels in the folder. None when there is none, or several.
    """
    folder = os.path.dirname(image) or "."
    stem = split_extension(os.path.basename(image))[0]
    stem = stem or os.path.splitext(os.path.basename(image))[0]
    others = (_RESOLUTION.sub("", stem), stem.replace("atlas", "labels"))
    for name in dict.fromkeys((stem, *others)):
        for ending in ENDINGS:
            path = os.path.join(folder, name + ending)
            # Beside images of BIDS lie .json files about how they were made.
            if os.path.isfile(path) and (ending != ".json" or _is_names(path)):
                return path
    return _fsl_list(folder, stem) or _only_list(folder)


def _fsl_list(folder: str, stem: str) -> str | None:
    """Return the list in the folder above that names this image as one of its own."""
    folder = os.path.abspath(folder)
    above, inside = os.path.split(folder)
    wanted = f"/{inside}/{stem}<".encode()
    for name in _names_in(above):
        path = os.path.join(above, name)
        if name.lower().endswith(".xml") and wanted in _head(path):
            return path
    return None


def _only_list(folder: str) -> str | None:
    """Return the one file of a folder that says that it is a list of labels."""
    found = [
        os.path.join(folder, name)
        for name in _names_in(folder)
        if os.path.splitext(name)[1].lower() in ENDINGS
        and _SAYS_LABELS.search(os.path.splitext(name)[0])
    ]
    return found[0] if len(found) == 1 and _is_names(found[0]) else None


def _names_in(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return names if len(names) <= _MOST_FILES else []


def _head(path: str) -> bytes:
    """Read where FSL's lists say which images they are for."""
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def _is_names(path: str) -> bool:
    try:
        return bool(read_names(path))
    except ResultsError:
        return False
