"""Whatever a user may name -> `ResultSet`: a path, a link, an id, a zip."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sources.files.folder import open_files, open_folder
from napari_neurosynth_results.sources.web.servers import Servers

if TYPE_CHECKING:
    from napari_neurosynth_results.sources.online.links import Address

SourceName = str | os.PathLike[str]


def open_source(
    source: SourceName | Sequence[SourceName], online: Servers, job: Job, max_bytes: int
) -> ResultSet:
    """Open what a user named.

    Parameters
    ----------
    source : path, link, id or sequence of paths
        What exists on disk is opened from there; the rest is read as a link or an id.
    job : Job
        Hears how far it is, and may stop it.
    max_bytes : int
        Refuse files that would need more memory than this.

    Returns
    -------
    ResultSet
        Maps in order of interest.

    Raises
    ------
    ResultsError
        When there is no map to open; the text says what to do.
    """
    sources = [source] if isinstance(source, str | os.PathLike) else list(source)
    texts = [os.fspath(one) for one in sources]
    if not texts:
        raise ResultsError("There is nothing to open: the list of files is empty.")
    addresses = [_address(text, online) for text in texts]
    paths = [address for address in addresses if isinstance(address, str)]
    if len(paths) == len(texts):
        return _open_paths(paths, online, max_bytes)
    if len(texts) > 1:
        raise ResultsError("Open links one at a time, and apart from files.")
    (address,) = addresses
    assert not isinstance(address, str)
    return _open_address(address, online, job, max_bytes)


def is_link(text: str, online: Servers) -> bool:
    """Tell whether a text names something on a server that can be opened.

    Returns
    -------
    bool
        False for paths, and for what is refused.
    """
    try:
        return not isinstance(_address(text, online), str)
    except ResultsError:
        return False


def _address(text: str, online: Servers) -> Address | str:
    """Read a link or id, or return a path; what exists is one, whatever it looks."""
    if os.path.exists(text):
        return text
    # Who opens a folder loads nothing that reads links or asks servers.
    from napari_neurosynth_results.sources.online.links import (
        Address,
        AddressKind,
        is_sealed_name,
        parse_address,
    )

    # What a private collection, or an image of one, is kept under.
    if is_sealed_name(text.strip()):
        kind = (
            AddressKind.IMAGE if text.strip().count("-") > 1 else AddressKind.COLLECTION
        )
        return Address(kind, id=text.strip(), site=online.neurovault)
    address = parse_address(text, online=online)
    if address.kind is AddressKind.PATH:
        return os.path.expanduser(address.id)
    return address


def _open_paths(paths: list[str], online: Servers, max_bytes: int) -> ResultSet:
    if len(paths) == 1:
        path = paths[0]
        if path.lower().endswith(".zip") and not os.path.isdir(path):
            from napari_neurosynth_results.sources.zip_archive import open_zip

            return open_zip(path, max_bytes, unpack_to=online.cache_dir / "zips")
        # A folder named like a file is refused as a file, which says what is odd.
        if os.path.isdir(path) and not _named_like_nifti(path):
            from napari_neurosynth_results.sources.online.nilearn_downloads import (
                is_nilearn_folder,
                open_nilearn,
            )

            return (open_nilearn if is_nilearn_folder(path) else open_folder)(
                path, max_bytes
            )
    return open_files([path.rstrip("/\\") or path for path in paths], max_bytes)


def _named_like_nifti(path: str) -> bool:
    return path.rstrip("/\\").lower().endswith((".nii", ".nii.gz"))


def _open_address(
    address: Address, online: Servers, job: Job, max_bytes: int
) -> ResultSet:
    from napari_neurosynth_results.sources.online.compose import open_compose
    from napari_neurosynth_results.sources.online.links import (
        AddressKind,
        is_sealed_name,
    )
    from napari_neurosynth_results.sources.online.neurovault import open_neurovault
    from napari_neurosynth_results.sources.online.store import shared_store

    if is_sealed_name(address.id):
        online = replace(online, offline=True)
    store = shared_store(online)
    compose = {AddressKind.META_ANALYSIS, AddressKind.RESULT, AddressKind.PROJECT}
    opened = open_compose if address.kind in compose else open_neurovault
    return opened(address, store, job, max_bytes)
