"""Opening a result or an atlas, wherever it is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.job import Job, Progress
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sources.atlases.find import find_atlas
from napari_neurosynth_results.sources.files.images import DEFAULT_LIMIT
from napari_neurosynth_results.sources.opening import SourceName, open_source
from napari_neurosynth_results.sources.web.servers import Servers


def open_results(
    source: SourceName | Sequence[SourceName],
    *,
    kinds: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    cache_dir: SourceName | None = None,
    offline: bool = False,
    max_bytes: int = DEFAULT_LIMIT,
) -> ResultSet:
    """Open the results of a meta-analysis, from disk or from a server.

    Parameters
    ----------
    source : path, link, id or sequence of paths
        A folder that NiMARE wrote or that holds maps, one image file, several, a zip,
        or nilearn's downloads; the link or number of a NeuroVault collection or image,
        also a private one; the link or id of a Neurosynth Compose meta-analysis.
    kinds : mapping of str to str, optional
        What you know better: file stem -> what the map holds. A kind (``"z"``, ``"t"``,
        ``"p"``, ``"logp"``, ``"1-p"``, ``"label"``...), and beside it, where known,
        ``one-tailed`` or ``two-tailed``, ``df=18`` or ``df=2,30``, ``FWE``, ``FDR`` or
        ``uncorrected``, ``voxel-level`` or ``cluster-level``, ``thresholded`` or
        ``whole``, as in ``{"result": "t two-tailed df=18 uncorrected"}``. ``to-MNI``,
        alone or beside, moves a map from Talairach to MNI space. ``*`` stands for all
        maps.
    progress : callable, optional
        Called as ``progress(what, done, total)``, in bytes for a download, on any
        thread; `total` is None when unknown.
    cache_dir : path, optional
        Where downloads are kept; ``NNR_CACHE_DIR`` or the user's cache if not given.
    offline : bool
        Ask no server: open what was downloaded before. ``NNR_OFFLINE`` does it too.
    max_bytes : int
        Refuse files that would need more memory than this, in bytes.

    Returns
    -------
    ResultSet
        Maps in order of interest, tables and texts. Of files on disk only headers have
        been read; maps on a server come when their voxels or grid are first used, or
        several at once by `ResultSet.fetch`. ``problems`` says what could not be opened
        and why.

    Raises
    ------
    ResultsError
        When there is no map to open, or `kinds` names none; the text says what to do.

    Examples
    --------
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> results = open_results(sample_folder())
    >>> results["z"].title
    'z, uncorrected'
    """
    online = Servers.from_environment(
        cache_dir=Path(cache_dir) if cache_dir is not None else None,
        offline=offline or None,
    )
    results = open_source(source, online, Job(progress), max_bytes)
    results.take_as(kinds or {})
    return results


def open_atlas(
    source: str | os.PathLike[str] = "default",
    names: str | os.PathLike[str] | None = None,
    *,
    fetch: bool = False,
) -> Atlas:
    """Open an atlas: the packaged one, one that is known by name, or one of your own.

    Parameters
    ----------
    source : str or path
        ``"default"`` for Desikan-Killiany with cerebellum, which is in the package;
        ``"harvard-oxford"``, ``"aal"``, ``"aal2"``, ``"schaefer-200"``,
        ``"schaefer-400"``, ``"destrieux"`` or ``"juelich"`` where this machine has it;
        or the path of a label image in MNI space.
    names : path, optional
        The file that names the labels of an image: ``.csv``, ``.tsv``, ``.xml``,
        ``.txt`` or ``.json``. Looked for beside the image when not given.
    fetch : bool
        Let nilearn download a known atlas that is not on this machine; never done
        offline (``NNR_OFFLINE``).

    Returns
    -------
    Atlas
        ``labels_at(places)``, ``nearest(places)`` and ``name_of(label)`` look places up
        by MNI mm; ``notices`` says what is doubtful.

    Raises
    ------
    ResultsError
        When it is not at hand or cannot be read; the text says what to do.

    Examples
    --------
    >>> import napari_neurosynth_results as nnr
    >>> atlas = nnr.open_atlas()
    >>> labels, distances = atlas.nearest([(38, 4, 2), (-32, -60, -34)])
    >>> [atlas.name_of(label) for label in labels]
    ['insula R', 'cerebellum L']
    """
    return find_atlas(source, names, fetch=fetch)
