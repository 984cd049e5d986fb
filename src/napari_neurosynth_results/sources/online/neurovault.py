"""NeuroVault: a collection, a private one, one image, one file -> `ResultSet`.

Only records are asked for here, a page of a hundred at a time; files come when
somebody looks at a map.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.results import About, Link, ResultSet
from napari_neurosynth_results.maps.studies import Studies
from napari_neurosynth_results.sources.online.collection_listing import (
    CollectionListing,
    list_collection,
    make_result_set,
)
from napari_neurosynth_results.sources.online.compose import fetch_studies
from napari_neurosynth_results.sources.online.compose_records import find_compose_id
from napari_neurosynth_results.sources.online.links import (
    Address,
    AddressKind,
    is_sealed_name,
)
from napari_neurosynth_results.sources.online.neurovault_records import (
    parse_images,
    record_text,
)
from napari_neurosynth_results.sources.online.store import (
    Store,
    mask_token,
    sealed_name,
)
from napari_neurosynth_results.sources.web.client import ForbiddenError
from napari_neurosynth_results.sources.web.servers import Servers

_LONG_TEXT = 20_000
_MOST_PAGES = 50
#: In the address of a private collection.
_PRIVATE = re.compile(r"/collections/([A-Z]{8})/?$")
_FROM_CACHE = (
    "Opened from what was downloaded before. Paste the private link to download more."
)


def open_neurovault(
    address: Address, store: Store, job: Job, max_bytes: int
) -> ResultSet:
    """List what an address on NeuroVault holds.

    Parameters
    ----------
    address : Address
        A collection, an image, a file or a NIDM-Results pack.
    store : Store
        The servers and the cache.
    job : Job
        Hears how far it is.
    max_bytes : int
        Refuse files that would need more memory than this.

    Returns
    -------
    ResultSet
        Its maps come when somebody looks at them.

    Raises
    ------
    ResultsError
        When it cannot be had, or holds no map.
    """
    if address.kind is AddressKind.IMAGE:
        return _open_image(address, store, job, max_bytes)
    try:
        listed = _list(address, store, job)
    except ForbiddenError:
        if (own := _own_address(address, store, job)) is None:
            raise
        address = own
        listed = _list(address, store, job)
    # Its owner may have written the private link into the description.
    record = mask_token(listed.record, address.token or "")
    title = record_text(record, "name") or f"NeuroVault collection {address.id}"
    if address.kind in {AddressKind.FILE, AddressKind.NIDM}:
        listed, title = _only(listed, address), address.filename.rpartition("/")[2]
    return make_result_set(
        listed,
        store,
        max_bytes,
        title=title,
        source=_source(address),
        about=_about_collection(record, store.online, _is_private(address)),
        studies=_way_back(record, store),
        problems=[_FROM_CACHE] if is_sealed_name(address.id) else [],
    )


def _list(address: Address, store: Store, job: Job) -> CollectionListing:
    return list_collection(
        address.site, address.token or address.id, store, job, token=address.token
    )


def _own_address(address: Address, store: Store, job: Job) -> Address | None:
    """Find the private address of a collection among those of the API token's owner.

    NeuroVault refuses the number of a private collection also to its owner, whose list
    of collections names the address that it gives to others.
    """
    if address.token or not store.online.token:
        return None
    for page in range(_MOST_PAGES):
        url = f"{address.site}/api/my_collections/?limit=100&offset={page * 100}"
        # Past the cache: it is full of private addresses.
        got = store.web.get_json(url, what="The list of your collections", job=job)
        records = got.get("results") if isinstance(got, Mapping) else None
        for record in records if isinstance(records, list) else []:
            if not isinstance(record, Mapping) or str(record.get("id")) != address.id:
                continue
            if found := _PRIVATE.search(record_text(record, "url", longest=2000)):
                return replace(address, id="", token=found[1])
        if not records or not got.get("next"):
            break
    return None


def _way_back(
    record: Mapping[str, Any], store: Store
) -> Callable[[], Studies | None] | None:
    """Find the studies of a collection that Compose made, when they are asked for."""
    if (meta_id := find_compose_id(record)) is None:
        return None
    site, collection = store.online.compose, str(record.get("id"))
    return lambda: fetch_studies(meta_id, collection, site, store, Job())


def _only(listed: CollectionListing, address: Address) -> CollectionListing:
    """Keep the file, or the maps of the pack, that was asked for."""
    wanted = address.filename
    if address.kind is AddressKind.FILE:
        # A map of a pack is told by the pack too: each has a ZStatistic.
        end = f"/{wanted}"
        chosen = [
            image
            for image in listed.images
            if unquote(urlsplit(image.file).path).endswith(end)
        ]
    else:
        chosen = [image for image in listed.images if f"/{wanted}/" in image.file]
    if not chosen:
        raise ResultsError(
            f"{_source(address)} lists no map of {wanted}. Open the "
            "whole collection instead."
        )
    return replace(listed, images=chosen, problems=[])


def _open_image(address: Address, store: Store, job: Job, max_bytes: int) -> ResultSet:
    number = f"{address.token}-{address.id}" if address.token else address.id
    what = f"NeuroVault image {address.id}"
    url = f"{address.site}/api/images/{number}/"
    document = store.document(url, what, job, secret=address.token or "")
    images, problems = parse_images([document.value], address.site)
    if not images:
        raise ResultsError("\n".join(problems))
    image = images[0]
    private = _is_private(address)
    page = f"{address.site}/images/{image.id}/"
    source = address.id if is_sealed_name(address.id) else page
    collection = f"{address.site}/collections/{image.collection}/"
    links = (Link("Image", page), Link("Collection", collection))
    problems.append(
        f"{image.filename}: it was opened alone. Open its collection, so that its p "
        "map and its mask are known."
    )
    return make_result_set(
        CollectionListing({}, images, problems, document.cache_notice),
        store,
        max_bytes,
        title=image.name or what,
        source=f"{sealed_name(address.token)}-{image.id}" if address.token else source,
        about=About(
            description=record_text(
                mask_token(document.value, address.token or ""),
                "description",
                longest=_LONG_TEXT,
            ),
            links=() if private else links,
            private=private,
        ),
    )


def _is_private(address: Address) -> bool:
    return bool(address.token) or is_sealed_name(address.id)


def _source(address: Address) -> str:
    """Name what opens an address again: never by its private token."""
    if address.token:
        return sealed_name(address.token)
    if is_sealed_name(address.id):
        return address.id
    if address.kind is AddressKind.FILE:
        return f"{address.site}/media/images/{address.id}/{quote(address.filename)}"
    pack = f"{quote(address.filename)}/" if address.kind is AddressKind.NIDM else ""
    return f"{address.site}/collections/{address.id}/{pack}"


def _about_collection(
    record: Mapping[str, Any], online: Servers, private: bool
) -> About:
    """Say what a collection's record says for people.

    Parameters
    ----------
    private : bool
        Whether it was opened by its token.

    Returns
    -------
    About
        Authors, DOI, description and links.
    """
    doi = record_text(record, "DOI") or record_text(record, "preprint_DOI")
    links = []
    if isinstance(record.get("id"), int) and not private:
        links.append(
            Link(
                "NeuroVault collection",
                f"{online.neurovault}/collections/{record['id']}/",
            )
        )
    if meta_id := find_compose_id(record):
        page = f"{online.compose}/meta-analyses/{meta_id}"
        links.append(Link("Neurosynth Compose", page))
    if doi:
        links.append(Link("Paper", f"https://doi.org/{doi}"))
    elif (paper := record_text(record, "paper_url", longest=2000)).startswith("http"):
        links.append(Link("Paper", paper))
    return About(
        authors=record_text(record, "authors", longest=2000),
        doi=doi,
        description=record_text(record, "description", longest=_LONG_TEXT),
        links=tuple(links),
        private=private,
    )
