"""Neurosynth Compose: a link to a meta-analysis, result or project -> `ResultSet`.

Three requests show the list of maps: the meta-analysis, its result, and NeuroVault's
list of images. The two snapshots are asked for when somebody looks at the studies.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.results import About, Link, ResultSet
from napari_neurosynth_results.maps.studies import Studies
from napari_neurosynth_results.sources.files.folder import refuse_large_table
from napari_neurosynth_results.sources.online.collection_listing import (
    list_collection,
    make_result_set,
)
from napari_neurosynth_results.sources.online.compose_records import (
    ComposeResult,
    MetaAnalysis,
    Snapshots,
    list_meta_analyses,
    list_other_results,
    parse_meta_analysis,
    parse_result,
)
from napari_neurosynth_results.sources.online.link_patterns import DEVELOPMENT, STAGING
from napari_neurosynth_results.sources.online.links import Address, AddressKind
from napari_neurosynth_results.sources.online.store import Store
from napari_neurosynth_results.sources.studies.nimads import (
    parse_studies,
    unwrap_snapshot,
)

if TYPE_CHECKING:
    import pandas as pd


#: The test servers of Compose have studies of their own.
_NEUROSTORES = {
    STAGING: "https://staging.neurostore.xyz",
    DEVELOPMENT: "https://dev.neurostore.xyz",
}


#: Results of one meta-analysis that are asked which collection is theirs.
_MOST_RESULTS = 100
#: What the API lists -> one of them.
_ONE_OF = {
    "meta-analyses": "meta-analysis",
    "meta-analysis-results": "result",
    "projects": "project",
    "snapshot-studysets": "studyset",
    "snapshot-annotations": "annotation",
}


def open_compose(address: Address, store: Store, job: Job, max_bytes: int) -> ResultSet:
    """Open the latest result of a meta-analysis, or the one that was named.

    Parameters
    ----------
    address : Address
        A meta-analysis, a result or a project.
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
        When it cannot be had, or has no result.
    """
    site = address.site
    chosen = None
    meta_id = address.id
    if address.kind is AddressKind.RESULT:
        chosen = parse_result(_get(store, site, _result(address.id), job))
        if not (meta_id := chosen.meta_analysis):
            raise ResultsError(
                f"Result {address.id} names no meta-analysis. Open the link of the "
                "meta-analysis instead."
            )
    if address.kind is AddressKind.PROJECT:
        meta_id = _only_meta_analysis(address, store, job)
    meta = parse_meta_analysis(_get(store, site, _meta_analysis(meta_id), job))
    if chosen is None:
        if not meta.results:
            raise ResultsError(
                f"{meta.name} has no result yet: it was not run, or it failed. Open it "
                f"in Neurosynth Compose ({_page(site, meta)})."
            )
        chosen = parse_result(_get(store, site, _result(meta.results[-1]), job))
    return _make_result(meta, chosen, site, store, job, max_bytes)


def fetch_studies(
    meta_id: str, collection: str, site: str, store: Store, job: Job
) -> Studies | None:
    """Find the studies behind the result that was uploaded to a collection.

    Parameters
    ----------
    meta_id : str
        The meta-analysis, which may have been run again since, with other studies.
    collection : str
        Number of the collection.
    site : str
        The Compose to ask.
    store : Store
        The servers and the cache.
    job : Job
        Hears how far it is.

    Returns
    -------
    Studies or None
        None when Compose keeps none.

    Raises
    ------
    ResultsError
        When it cannot be had, or no result is that of the collection.
    """
    meta = parse_meta_analysis(_get(store, site, _meta_analysis(meta_id), job))
    for number in list(reversed(meta.results))[:_MOST_RESULTS]:
        result = parse_result(_get(store, site, _result(number), job))
        if result.collection == collection:
            return _studies(meta, meta.find_snapshots(result), site, store, job)
    if not meta.results:
        return None
    raise ResultsError(
        f"The studies are not known: no result of {meta.name} in Neurosynth Compose "
        f"is that of collection {collection}. See {_page(site, meta)}."
    )


def read_diagnostics(text: str) -> pd.DataFrame:
    """Read the table of NiMARE's diagnostics, studies by clusters.

    Parameters
    ----------
    text : str
        As Compose hands it out: tab-separated; names hold commas and quotes.

    Returns
    -------
    pandas.DataFrame
        The studies in the column ``id``, as text; numbers in all others.

    Raises
    ------
    ResultsError
        When it is no table.
    """
    import pandas as pd

    refuse_large_table(text.encode("utf-8", "replace"), "The table of diagnostics")
    try:
        with warnings.catch_warnings():
            # A row of more cells than the head has would shift all values.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                io.StringIO(text),
                sep="\t",
                quoting=csv.QUOTE_NONE,
                index_col=False,
                # A study may be called NA.
                dtype=str,
                keep_default_na=False,
            )
    except (ValueError, pd.errors.ParserWarning) as error:
        raise ResultsError(f"The table of diagnostics is broken: {error}.") from error
    if "id" not in table.columns:
        raise ResultsError("The table of diagnostics names no studies.")
    for column in table.columns.drop("id"):
        table[column] = pd.to_numeric(table[column], errors="coerce")
    return table


def _make_result(
    meta: MetaAnalysis,
    result: ComposeResult,
    site: str,
    store: Store,
    job: Job,
    max_bytes: int,
) -> ResultSet:
    others = tuple(one for one in meta.results if one != result.id)
    if not result.collection:
        raise ResultsError(
            f"Result {result.id} of {meta.name} has no collection on NeuroVault: its "
            f"upload failed or is under way.{list_other_results(others)}"
        )
    neurovault = store.online.neurovault
    listed = list_collection(
        neurovault, result.collection, store, job, with_record=False
    )
    if not listed.images:
        reasons = " ".join(listed.problems)
        raise ResultsError(
            f"Collection {result.collection} of {meta.name} is empty: the upload of "
            f"its maps failed. {reasons}{list_other_results(others)}"
        )
    collection = f"{neurovault}/collections/{result.collection}/"
    about = About(
        description=meta.description,
        links=(
            Link("Neurosynth Compose", _page(site, meta)),
            Link("NeuroVault collection", collection),
        ),
        specification=meta.specification,
        other_results=tuple(reversed(others)),
    )
    diagnostics = result.diagnostics
    tables = {"diagnostics": lambda: read_diagnostics(diagnostics)}
    snapshots = meta.find_snapshots(result)
    return make_result_set(
        replace(listed, problems=[*result.problems, *listed.problems]),
        store,
        max_bytes,
        title=meta.name,
        source=_page(site, meta)
        if result.id == (meta.results or ("",))[-1]
        else f"{site}{_result(result.id)}",
        about=about,
        methods=meta.methods,
        tables=tables if diagnostics else {},
        studies=lambda: _studies(meta, snapshots, site, store, Job()),
    )


def _studies(
    meta: MetaAnalysis, snapshots: Snapshots, site: str, store: Store, job: Job
) -> Studies | None:
    """Ask for the studyset and the annotation, the live ones without a snapshot."""
    studyset = _snapshot(snapshots.studyset, "studysets", site, store, job)
    annotation = _snapshot(snapshots.annotation, "annotations", site, store, job)
    is_snapshot = studyset is not None
    if studyset is None:
        if not snapshots.live:
            return None
        base = f"{_NEUROSTORES.get(site, store.online.neurostore)}/api"
        url = f"{base}/studysets/{snapshots.live}?nested=true"
        studyset = store.document(url, "The live studyset", job).value
        if annotation is None and snapshots.live_annotation:
            url = f"{base}/annotations/{snapshots.live_annotation}"
            annotation = store.document(url, "The live annotation", job).value
    return parse_studies(
        studyset, annotation, meta.specification, is_snapshot=is_snapshot
    )


def _snapshot(found: Any, what: str, site: str, store: Store, job: Job) -> Any:
    if found is None or isinstance(found, Mapping):
        return found
    url = f"{site}/api/snapshot-{what}/{found}"
    # A snapshot never changes: one that was kept is as good.
    document = store.document(url, f"Snapshot {found}", job, lasting=True).value
    # A placeholder holds a snapshot of null: then the live one is asked for.
    holds = {"studysets": "studies", "annotations": "notes"}[what]
    inner = unwrap_snapshot(document)
    return document if isinstance(inner, Mapping) and holds in inner else None


def _only_meta_analysis(address: Address, store: Store, job: Job) -> str:
    project = _get(store, address.site, f"/api/projects/{address.id}", job)
    found = list_meta_analyses(project)
    if len(found) == 1:
        return found[0][0]
    if not found:
        raise ResultsError(f"Project {address.id} has no meta-analysis yet.")
    listed = "\n".join(f"  {number}  {name}".rstrip() for number, name in found)
    raise ResultsError(
        f"Project {address.id} has {len(found)} meta-analyses. Open one of them by its "
        f"id:\n{listed}"
    )


def _meta_analysis(number: str) -> str:
    return f"/api/meta-analyses/{number}?nested=true"


def _result(number: str) -> str:
    return f"/api/meta-analysis-results/{number}"


def _page(site: str, meta: MetaAnalysis) -> str:
    project = f"/projects/{meta.project}" if meta.project else ""
    return f"{site}{project}/meta-analyses/{meta.id}"


def _get(store: Store, site: str, path: str, job: Job) -> Any:
    kind, _, number = path.split("?")[0].removeprefix("/api/").partition("/")
    what = f"{_ONE_OF.get(kind, kind)} {number}"
    return store.document(f"{site}{path}", f"Neurosynth Compose's {what}", job).value
