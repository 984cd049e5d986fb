"""Where this machine has the atlases that are known by name; nothing is imported."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from napari_neurosynth_results.sources.known_atlases import KnownAtlas, Place

#: For nilearn's own folders: variable and what follows it.
_NILEARN = ("NILEARN_SHARED_DATA", "NILEARN_DATA")


def place_at_hand(known: KnownAtlas) -> tuple[Place, str] | None:
    """Find the files of an atlas.

    Parameters
    ----------
    known : KnownAtlas
        The atlas.

    Returns
    -------
    place : Place
        The first place of which all files are there; None instead of both when there
        is none.
    root : str
        The folder that they are below.
    """
    for place in known.places:
        for root in _roots(place.root):
            files = (f for part in place.parts for f in (part.image, part.names))
            if all(os.path.isfile(os.path.join(root, file)) for file in files):
                return place, root
    return None


def origin_of(place: Place) -> str:
    """Say in words where an atlas came from, with the version of a package."""
    if place.root == "fsl":
        return "from FSL"
    if place.root == "nilearn":
        return "as downloaded by nilearn"
    try:
        return f"from {place.root} {version(place.root)}"
    except PackageNotFoundError:
        return f"from {place.root}"


def _roots(root: str) -> Iterator[str]:
    if root == "fsl":
        if folder := os.environ.get("FSLDIR", "").strip():
            yield folder
    elif root == "nilearn":
        # As nilearn documents it; importing it takes seconds.
        for variable in _NILEARN:
            yield from filter(None, os.environ.get(variable, "").split(os.pathsep))
        yield os.path.expanduser(os.path.join("~", "nilearn_data"))
    else:
        try:
            spec = find_spec(root)
        except (ImportError, ValueError):
            return
        if spec is not None:
            yield from spec.submodule_search_locations or ()
