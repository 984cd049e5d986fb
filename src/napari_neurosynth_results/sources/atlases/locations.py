"""Where this machine has the atlases that are known by name, and how it gets them.

Nothing is imported to look for them. nilearn downloads them when asked to, into its own
folder, as if the user had called it.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import LEFT_BEHIND, Job
from napari_neurosynth_results.sources.atlases.catalog import AtlasLocation, KnownAtlas

#: For nilearn's own folders: variable and what follows it.
_NILEARN = ("NILEARN_SHARED_DATA", "NILEARN_DATA")

#: A download that takes longer is given up.
_PATIENCE_S = 600.0
_STEP_S = 0.1


def find_location(known: KnownAtlas) -> tuple[AtlasLocation, str] | None:
    """Find the files of an atlas.

    Returns
    -------
    location : AtlasLocation
        The first location of which all files are there; None instead of both when there
        is none.
    root : str
        The folder that they are below.
    """
    for location in known.locations:
        for root in _roots(location.root):
            files = (f for part in location.parts for f in (part.image, part.names))
            if all(os.path.isfile(os.path.join(root, file)) for file in files):
                return location, root
    return None


def describe_origin(location: AtlasLocation) -> str:
    """Say in words where an atlas came from, with the version of a package."""
    if location.root == "fsl":
        return "from FSL"
    if location.root == "nilearn":
        return "as downloaded by nilearn"
    try:
        return f"from {location.root} {version(location.root)}"
    except PackageNotFoundError:
        return f"from {location.root}"


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


def fetch_with_nilearn(known: KnownAtlas, job: Job) -> None:
    """Let nilearn download an atlas, on a thread apart from the one that waits.

    Parameters
    ----------
    job : Job
        May stop it: a download under way then ends unheard.

    Raises
    ------
    ResultsError
        When nilearn is not installed, or could not download it.
    """
    if find_spec("nilearn") is None:
        raise ResultsError(
            f"{known.title} is downloaded by nilearn, which is not installed. "
            "Install it (pip install nilearn), or give a label image of your own."
        )
    failed: list[Exception] = []
    # nilearn cannot be told to stop, so nobody waits for its thread.
    thread = threading.Thread(
        target=_fetch, args=(known, failed), daemon=True, name=f"{LEFT_BEHIND}atlas"
    )
    thread.start()
    waited = 0.0
    while thread.is_alive():
        job.report(f"{known.title}, by nilearn", 0)
        if waited > _PATIENCE_S:
            raise ResultsError(
                f"nilearn did not download {known.title} within "
                f"{_PATIENCE_S / 60:.0f} minutes. Try again later."
            )
        thread.join(_STEP_S)
        waited += _STEP_S
    job.check()
    if failed:
        reason = " ".join(str(failed[0]).split())[:300] or type(failed[0]).__name__
        raise ResultsError(
            f"nilearn could not download {known.title}: {reason}. Check the network, "
            "or copy its folder nilearn_data from a machine that has it."
        ) from failed[0]


def _fetch(known: KnownAtlas, failed: list[Exception]) -> None:
    try:
        # Here, because it takes seconds.
        datasets = importlib.import_module("nilearn.datasets")
        for download in known.downloads:
            getattr(datasets, download.function)(**download.arguments, verbose=0)
    except Exception as error:  # whatever a server, nilearn or the disk came up with
        failed.append(error)
