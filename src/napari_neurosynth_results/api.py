"""The headless API: what scripts, notebooks, the command line and the viewer call."""

from __future__ import annotations

import os
from collections.abc import Sequence

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.clusters import save_clusters
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sources.folder import open_files, open_folder
from napari_neurosynth_results.sources.nifti import DEFAULT_LIMIT
from napari_neurosynth_results.statistics.clusters import find_clusters

__all__ = ("find_clusters", "open_results", "save_clusters")

Source = str | os.PathLike[str]


def open_results(
    source: Source | Sequence[Source], *, max_bytes: int = DEFAULT_LIMIT
) -> ResultSet:
    """Open the results of a meta-analysis from disk.

    Parameters
    ----------
    source : path or sequence of paths
        A folder that NiMARE wrote or that holds maps, one image file, or several.
    max_bytes : int
        Refuse files that would need more memory than this, in bytes.

    Returns
    -------
    ResultSet
        Maps in order of interest, tables and texts. Only headers have been read.
        ``problems`` says what could not be opened and why.

    Raises
    ------
    ResultsError
        When there is no map to open; the text says what to do.

    Examples
    --------
    >>> from napari_neurosynth_results.viewer.sample_data import sample_folder
    >>> results = open_results(sample_folder())
    >>> results["z"].title
    'z, uncorrected'
    """
    sources = [source] if isinstance(source, str | os.PathLike) else source
    paths = [os.fspath(path) for path in sources]
    if not paths:
        raise ResultsError("There is nothing to open: the list of files is empty.")
    for path in paths:
        if "://" in path:
            raise ResultsError(
                f"{path} is an address. This version opens what is on disk: download "
                "the maps and open their folder."
            )
    # A folder named like a file is refused as a file, which says what is odd.
    if len(paths) == 1 and os.path.isdir(paths[0]) and not _named_like_nifti(paths[0]):
        return open_folder(paths[0], max_bytes)
    return open_files([path.rstrip("/\\") or path for path in paths], max_bytes)


def _named_like_nifti(path: str) -> bool:
    return path.rstrip("/\\").lower().endswith((".nii", ".nii.gz"))
