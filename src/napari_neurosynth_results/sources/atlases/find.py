"""Whatever a user may call an atlas -> `Atlas`: a name, or the path of an image."""

from __future__ import annotations

import os
from functools import lru_cache

import numpy as np

from napari_neurosynth_results.anatomy.atlas import (
    DEFAULT_ATLAS,
    Atlas,
    read_default_atlas,
)
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.sources.atlases.catalog import (
    KNOWN_ATLASES,
    KnownAtlas,
    known_atlas,
)
from napari_neurosynth_results.sources.atlases.label_image import (
    AnyPath,
    fit_names,
    read_atlas,
    read_labels,
)
from napari_neurosynth_results.sources.atlases.label_names import find_names, read_names
from napari_neurosynth_results.sources.atlases.locations import (
    describe_origin,
    fetch_with_nilearn,
    find_location,
)
from napari_neurosynth_results.sources.web.servers import Servers

#: A file as it was when it was read: path, time of change, size.
_FileStamp = tuple[str, int, int]


def find_atlas(
    what: AnyPath,
    names: AnyPath | None = None,
    *,
    fetch: bool = False,
    offline: bool | None = None,
    job: Job | None = None,
) -> Atlas:
    """Return an atlas by its name or its image.

    Parameters
    ----------
    what : str or path
        ``"default"`` for the packaged atlas, a name such as ``"harvard-oxford"`` (all
        are in `KNOWN_ATLASES`), or the path of a label image.
    names : path, optional
        The file that names the labels of an image.
    fetch : bool
        Whether an atlas that is not on this machine may be downloaded.
    offline : bool, optional
        Download nothing all the same; ``NNR_OFFLINE`` when not given.
    job : Job, optional
        Hears how far it is, and may stop it.

    Returns
    -------
    Atlas
        Kept: asking again costs nothing while the files stay the same.

    Raises
    ------
    ResultsError
        When there is no such atlas, it is not at hand, or cannot be read.
    """
    text = os.path.expanduser(os.fspath(what)).strip()
    if text.lower() == DEFAULT_ATLAS:
        return read_default_atlas()
    known = known_atlas(text)
    # A name means the atlas of that name, whatever files lie around.
    if known is not None:
        if offline is None:
            offline = Servers.from_environment().offline
        return _open_known(known, fetch, offline, job or Job())
    if not os.path.isfile(text):
        raise ResultsError(
            f"{text!r} is neither a file nor an atlas that is known by name. {_known()}"
        )
    text = os.path.abspath(text)
    file = os.path.abspath(os.path.expanduser(names)) if names else find_names(text)
    return _open_own(_stamp(text), _stamp(file) if file else None, names is None)


def _known() -> str:
    """List the atlases that are known, and say which are on this machine."""
    at_hand = [key for key in KNOWN_ATLASES if find_location(KNOWN_ATLASES[key])]
    others = [key for key in KNOWN_ATLASES if key not in at_hand]
    text = f"At hand: {', '.join([DEFAULT_ATLAS, *at_hand])}."
    if others:
        text += f" Can be downloaded (fetch=True): {', '.join(others)}."
    return text


def _open_known(known: KnownAtlas, fetch: bool, offline: bool, job: Job) -> Atlas:
    found = find_location(known)
    if found is None:
        if not fetch:
            raise ResultsError(
                f"{known.title} is not on this machine. Allow it to be downloaded by "
                f"nilearn (fetch=True; license: {known.license}), or choose another. "
                f"{_known()}"
            )
        if offline:
            raise ResultsError(
                f"{known.title} is not on this machine, and nothing is downloaded "
                f"while working offline. Go online, or choose another. {_known()}"
            )
        fetch_with_nilearn(known, job)
        found = find_location(known)
    if found is None:
        raise ResultsError(
            f"nilearn downloaded {known.title} to where it was not expected. Give the "
            "path of its label image instead."
        )
    location, root = found
    files = [
        (_stamp(os.path.join(root, part.image)), _stamp(os.path.join(root, part.names)))
        for part in location.parts
    ]
    return _read_known(known.key, describe_origin(location), tuple(files))


def _stamp(path: str) -> _FileStamp:
    try:
        stat = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ResultsError(f"{path} cannot be read: {reason}.") from error
    return path, stat.st_mtime_ns, stat.st_size


# A handful, because each may take tens of megabytes.
@lru_cache(maxsize=4)
def _open_own(image: _FileStamp, names: _FileStamp | None, found: bool) -> Atlas:
    # Who looks for the names himself also says which he took.
    return read_atlas(image[0], None if found or names is None else names[0])


@lru_cache(maxsize=4)
def _read_known(
    key: str, origin: str, files: tuple[tuple[_FileStamp, _FileStamp], ...]
) -> Atlas:
    """Read the parts of an atlas into one."""
    known = KNOWN_ATLASES[key]
    whole: Atlas | None = None
    for image, names in files:
        labels, grid, notices, count = read_labels(image[0])
        table, told = fit_names(read_names(names[0]), labels, names[0], image[0], count)
        citation = f"{known.citation}; {origin}"
        part = Atlas(known.title, labels, grid, table, citation, (*notices, *told))
        whole = (
            _drop_excluded(part, known)
            if whole is None
            else _fill_gaps(whole, _drop_excluded(part, known), image[0])
        )
    assert whole is not None
    return whole


def _drop_excluded(atlas: Atlas, known: KnownAtlas) -> Atlas:
    """Drop the labels that are no regions."""
    if known.left_out is None:
        return atlas
    dropped = [n for n, name in atlas.names.items() if known.left_out.search(name)]
    labels = np.where(np.isin(atlas.labels, dropped), 0, atlas.labels)
    names = {n: name for n, name in atlas.names.items() if n not in dropped}
    return Atlas(atlas.name, labels, atlas.grid, names, atlas.citation, atlas.notices)


def _fill_gaps(atlas: Atlas, other: Atlas, path: str) -> Atlas:
    """Fill the places without a region with those of another part of the same atlas."""
    if not atlas.grid.same_as(other.grid):
        raise ResultsError(
            f"{path} lies on another grid than the other part of {atlas.name}. "
            "Install or download the atlas again."
        )
    shift = max(int(atlas.labels.max()), *atlas.names, 0)
    rest = np.where(other.labels > 0, other.labels + shift, 0)
    labels = np.where(atlas.labels > 0, atlas.labels, rest).astype(np.int32)
    names = dict(atlas.names) | {n + shift: name for n, name in other.names.items()}
    return Atlas(
        atlas.name,
        labels,
        atlas.grid,
        names,
        atlas.citation,
        atlas.notices + other.notices,
    )
