"""The maps of a NeuroVault collection: listed in a few requests, made a set."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.names import split_extension
from napari_neurosynth_results.maps.results import About, ResultSet
from napari_neurosynth_results.maps.studies import LazyStudies, Studies
from napari_neurosynth_results.sources.online.neurovault_records import (
    ImageRecord,
    parse_images,
    settle_names,
)
from napari_neurosynth_results.sources.online.remote_map import RemoteMap
from napari_neurosynth_results.sources.online.store import Store, mask_token

#: Records a page: none takes a busy server long, and each has a deadline of its own.
_PAGE = 100
#: Far beyond every collection that holds results.
_MOST_IMAGES = 5000


@dataclass(frozen=True)
class CollectionListing:
    """What a collection holds, before any file is asked for.

    Attributes
    ----------
    record : mapping
        NeuroVault's record of the collection; empty when it was not asked for.
    images : list of ImageRecord
        What can be fetched.
    problems : list of str
        What cannot, and why.
    cache_notice : str
        When the list was cached and why it is shown, if it came from the cache; or why
        it could not be kept.
    """

    record: Mapping[str, Any]
    images: list[ImageRecord]
    problems: list[str]
    cache_notice: str


def list_collection(
    site: str,
    collection: str,
    store: Store,
    job: Job,
    *,
    token: str | None = None,
    with_record: bool = True,
) -> CollectionListing:
    """Ask for a collection's record and the records of its images.

    Parameters
    ----------
    site : str
        The NeuroVault to ask.
    collection : str
        Its number, or its private token.
    store : Store
        The servers and the cache.
    job : Job
        Hears how far it is.
    token : str, optional
        The private token, which is kept nowhere.
    with_record : bool
        Whether the collection's own record is wanted too.

    Returns
    -------
    CollectionListing
        What the collection holds.

    Raises
    ------
    ResultsError
        When it cannot be had.
    """
    base = f"{site}/api/collections/{collection}/"
    what = "the private collection" if token else f"NeuroVault collection {collection}"
    secret = token or ""
    record: Mapping[str, Any] = {}
    cache_notice = ""
    if with_record:
        begins = f"{what[0].upper()}{what[1:]}"
        document = store.document(base, begins, job, secret=secret)
        if not isinstance(document.value, Mapping):
            raise ResultsError(f"NeuroVault's answer on {what} is not a collection.")
        record, cache_notice = document.value, document.cache_notice
    records: list[Any] = []
    seen: set[int] = set()
    announced = pages = 0
    while True:
        url = f"{base}images/?limit={_PAGE}&offset={pages * _PAGE}"
        document = store.document(url, f"The list of {what}", job, secret=secret)
        page, announced, more = _page(document.value, what)
        cache_notice = cache_notice or document.cache_notice
        fresh = [item for item in page if _id(item) not in seen]
        seen |= {_id(item) for item in fresh}
        records += fresh
        pages += 1
        job.report(f"list of {what}", len(records), announced or None)
        if not more or not fresh or pages > math.ceil(announced / _PAGE):
            break
        if len(records) >= _MOST_IMAGES:
            break
    images, problems = parse_images(records, site)
    # Its owner may have written the private link into a name.
    images = [replace(one, name=mask_token(one.name, secret)) for one in images]
    if len(records) < announced:
        problems.append(
            f"NeuroVault counts {announced:,} images in {what} but lists "
            f"{len(records):,}."
        )
    return CollectionListing(record, images, problems, cache_notice)


def _page(value: Any, what: str) -> tuple[list[Any], int, bool]:
    """Read one page: its records, how many there are in all, whether more follow."""
    if not isinstance(value, Mapping) or not isinstance(value.get("results"), list):
        raise ResultsError(f"NeuroVault's list of the images of {what} is not a list.")
    count = value.get("count")
    announced = count if isinstance(count, int) and count > 0 else 0
    return value["results"], min(announced, _MOST_IMAGES), bool(value.get("next"))


def _id(record: Any) -> int:
    number = record.get("id") if isinstance(record, Mapping) else None
    return number if isinstance(number, int) else -1


def make_result_set(
    listed: CollectionListing,
    store: Store,
    max_bytes: int,
    *,
    title: str,
    source: str,
    about: About,
    methods: str = "",
    tables: Mapping[str, Callable[[], Any]] | None = None,
    studies: Callable[[], Studies | None] | None = None,
    problems: Sequence[str] = (),
) -> ResultSet:
    """Make a result set of what was listed.

    Parameters
    ----------
    listed : CollectionListing
        Images, and what is wrong with others.
    store : Store
        Where the files come from.
    max_bytes : int
        Refuse files that would need more memory than this.
    title, source, about, methods, tables, studies
        As for `ResultSet`.
    problems : sequence of str
        To be told too.

    Returns
    -------
    ResultSet
        Its maps come when somebody looks at them.

    Raises
    ------
    ResultsError
        When there is no map.
    """
    told = [*problems, *listed.problems]
    if listed.cache_notice:
        told.insert(0, listed.cache_notice)
    if not listed.images:
        reasons = "\n".join(listed.problems)
        raise ResultsError(
            f"{source} holds no map. {reasons or 'The collection is empty.'}"
        )
    files: dict[str, RemoteMap] = {}
    site = store.online.neurovault
    for image in settle_names(listed.images):
        key = split_extension(image.called)[0]
        if key in files:
            key = f"{key} ({image.id})"
        page = f"{site}/images/{image.id}/"
        files[key] = RemoteMap(image, key, store, max_bytes, page)
        if whose := image.other_species:
            told.append(f"{image.filename}: it is in the space of {whose}.")
    return ResultSet(
        list(files.values()),
        title=title,
        source=source,
        problems=list(dict.fromkeys(told)),
        about=about,
        methods=methods,
        tables=tables or {},
        studies=LazyStudies(studies, remote=True),
    )
