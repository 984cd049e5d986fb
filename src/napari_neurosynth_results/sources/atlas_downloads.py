"""nilearn's downloads of atlases: when asked for, apart from the thread that waits.

What it downloads stays in nilearn's own folder, as if the user had called it.
"""

from __future__ import annotations

import importlib
import threading
from importlib.util import find_spec

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.sources.known_atlases import KnownAtlas

#: A download that takes longer is given up.
_PATIENCE_S = 600.0
_STEP_S = 0.1


def fetch_with_nilearn(known: KnownAtlas, job: Job) -> None:
    """Let nilearn download an atlas.

    Parameters
    ----------
    known : KnownAtlas
        The atlas.
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
    thread = threading.Thread(target=_fetch, args=(known, failed), daemon=True)
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
        for fetch in known.fetches:
            getattr(datasets, fetch.function)(**fetch.arguments, verbose=0)
    except Exception as error:  # whatever a server, nilearn or the disk came up with
        failed.append(error)
