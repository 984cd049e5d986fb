"""Several maps at once from where they wait to this machine."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.statmap import StatMap

#: As many as one server is asked for at once.
_AT_ONCE = 4


def bring(statmaps: Sequence[StatMap], job: Job) -> list[str]:
    """Fetch maps, a few at once.

    Parameters
    ----------
    statmaps : sequence of StatMap
        Maps that are not here.
    job : Job
        Hears how far things are, and may stop them.

    Returns
    -------
    list of str
        What could not be had and why.

    Raises
    ------
    CancelledError
        When the job was cancelled; what has come stays.
    """

    def fetch(statmap: StatMap) -> str | None:
        try:
            job.check()
            statmap.file.fetch(job)
        except CancelledError:
            raise
        except ResultsError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return [problem for problem in pool.map(fetch, statmaps) if problem]
