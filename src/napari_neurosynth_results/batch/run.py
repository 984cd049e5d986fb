"""One call for a whole batch: list, ask, write, sum up."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from napari_neurosynth_results._version import __version__
from napari_neurosynth_results.anatomy.numerals import counted
from napari_neurosynth_results.api.map_requests import MaskSource
from napari_neurosynth_results.batch.dask_workers import run_on_scheduler
from napari_neurosynth_results.batch.inputs import list_sources
from napari_neurosynth_results.batch.local_workers import default_workers, run_locally
from napari_neurosynth_results.batch.one_source import DONE, Record
from napari_neurosynth_results.batch.output_folder import (
    SOURCES,
    BatchFolder,
    lock_folder,
)
from napari_neurosynth_results.batch.request import BatchRequest
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import checked_name
from napari_neurosynth_results.job import Job, Progress
from napari_neurosynth_results.sources.files.folder import read_table
from napari_neurosynth_results.sources.opening import SourceName
from napari_neurosynth_results.sources.web.servers import Servers
from napari_neurosynth_results.statistics.thresholds.request import StatedDof

if TYPE_CHECKING:
    import pandas as pd


#: Of the table of all clusters: about a million of them.
_MOST_BYTES = 512 << 20
_MOST_CELLS = 30_000_000
#: Nothing is loaded from anywhere, whatever a title holds.
_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Clusters of many results</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem;
 padding: 0 1rem; color: #1a1a1a; background: #fff; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0;
 border-bottom: 1px solid #ddd; overflow-wrap: anywhere; }
th { white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
.failed td:first-child, .partly td:first-child { border-left: 4px solid #b3261e;
 padding-left: .5rem; }
.small { color: #555; font-size: .85rem; }
a { color: #0b57d0; }
@media print { body { margin: 0; max-width: none; font-size: 10pt; }
 a { color: inherit; } tr { break-inside: avoid; }
 thead { display: table-header-group; } }
</style>
</head>
"""
#: What a link to a table of one source says.
_LABELS = {
    "clusters.tsv": "clusters",
    "parts.tsv": "active parts",
    "regions.tsv": "regions",
    "studies.tsv": "studies",
}
_COLUMNS = (
    '<th scope="col">Result</th><th scope="col">Status</th>'
    '<th scope="col" class="number">Clusters</th>'
    '<th scope="col" class="number">Seconds</th>'
    '<th scope="col">What was found</th><th scope="col">Tables</th>'
)


def render_page(
    records: Sequence[Record], request: BatchRequest, folder: BatchFolder
) -> str:
    """Write the page of a batch.

    Parameters
    ----------
    records : sequence of Record
        How each source went.
    folder : BatchFolder
        Where the tables of each source are.

    Returns
    -------
    str
        HTML that needs nothing else; every text of a source is escaped.
    """
    failed = sum(record.status != DONE for record in records)
    clusters = sum(record.n_clusters for record in records)
    tables = [*request.tables, "summary.tsv", "failures.tsv"]
    unknown = _say_unknown(_unknown_kinds(records, request))
    parts = [
        _HEAD,
        "<body>\n<h1>Clusters of many results</h1>\n",
        f"<p>{counted(len(records), 'source')}, {counted(clusters, 'cluster')}, "
        f"{failed} with failures.</p>\n",
        f"<p>Asked: {escape(str(request))}.</p>\n",
        f"<p>{escape(unknown)}.</p>\n" if unknown else "",
        f"<p>All together: {', '.join(_link(name, name) for name in tables)}.</p>\n",
        f"<table>\n<thead><tr>{_COLUMNS}</tr></thead>\n<tbody>\n",
        *(_row(record, folder) for record in records),
        "</tbody>\n</table>\n",
        f'<p class="small">napari-neurosynth-results {escape(__version__)}</p>\n',
        "</body>\n</html>\n",
    ]
    return "".join(parts)


def _row(record: Record, folder: BatchFolder) -> str:
    links = [
        _link(f"{SOURCES}/{record.name}/{name}", label)
        for name, label in _LABELS.items()
        if folder.has_table(record, name)
    ]
    title = escape(record.title or record.source)
    notices = "".join(
        f'<br><span class="small">{escape(notice)}</span>' for notice in record.notices
    )
    return (
        f'<tr class="{escape(record.status)}"><td>{title}'
        f'<br><span class="small">{escape(record.source)}</span></td>'
        f"<td>{escape(record.status)}</td>"
        f'<td class="number">{record.n_clusters:,}</td>'
        f'<td class="number">{record.seconds:.1f}</td>'
        f"<td>{escape(record.sentence)}{notices}</td>"
        f"<td>{', '.join(links)}</td></tr>\n"
    )


def _link(address: str, label: str) -> str:
    return f'<a href="{escape(quote(address))}">{escape(label)}</a>'


def _unknown_kinds(records: Sequence[Record], request: BatchRequest) -> list[str]:
    known = {name for record in records for name in record.kinds}
    return [name for name, _ in request.kinds if name not in known]


def _say_unknown(names: list[str]) -> str:
    if not names:
        return ""
    which = f"map {names[0]}" if len(names) == 1 else f"maps {', '.join(names)}"
    return f"No source that could be opened has the {which} that was given a kind"


@dataclass(frozen=True)
class BatchSummary:
    """What came of a batch.

    Attributes
    ----------
    folder : str
        Where the files are.
    question : BatchRequest
        What was asked of each result.
    records : tuple of Record
        How each source went, in the order of the list.
    n_asked : int
        How many were opened now; the others were done before.
    """

    folder: str
    question: BatchRequest
    records: tuple[Record, ...] = field(repr=False)
    n_asked: int

    @property
    def failed(self) -> list[Record]:
        """The sources of which something could not be answered."""
        return [record for record in self.records if record.status != DONE]

    @property
    def unknown_kinds(self) -> list[str]:
        """Names among the kinds that no source which could be opened has a map of."""
        return _unknown_kinds(self.records, self.question)

    @cached_property
    def clusters(self) -> pd.DataFrame:
        """The clusters of all results, read from ``clusters.tsv``.

        Raises
        ------
        ResultsError
            When there are more than fit into memory at once, or the file has gone.
        """
        # "NA" may be the name of a result.
        texts = {"source": str, "title": str, "map": str, "name": str, "threshold": str}
        return read_table(
            os.path.join(self.folder, "clusters.tsv"),
            _MOST_BYTES,
            _MOST_CELLS,
            dtype=texts,
            keep_default_na=False,
            na_values=[""],
        )

    def __str__(self) -> str:
        """Count, in one sentence."""
        n, failed = len(self.records), len(self.failed)
        found = sum(record.n_clusters for record in self.records)
        before = n - self.n_asked
        told = f"{counted(n, 'source')}, {counted(found, 'cluster')}"
        told += f", {before} done before" if before else ""
        told += f", {failed} with failures" if failed else ""
        unknown = _say_unknown(self.unknown_kinds)
        return f"{told}. {unknown}" if unknown else told


def run_batch(
    sources: SourceName | Iterable[SourceName],
    out: str | os.PathLike[str],
    *,
    maps: str | Sequence[str] | None = None,
    atlas: str | os.PathLike[str] | None = "default",
    mask: MaskSource | str | os.PathLike[str] | None = None,
    dof: StatedDof | None = None,
    active_parts: float | None = None,
    regions: bool = False,
    studies: bool = False,
    leave_one_out: bool = False,
    kinds: Mapping[str, str] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
    resume: bool = True,
    **threshold: Any,
) -> BatchSummary:
    """Find the clusters of many results, and write them into one table.

    Parameters
    ----------
    sources : iterable of path, link or id
        As for `open_results`; one that is named again is taken once.
    out : path
        A new folder, or that of a batch which was stopped. Gets ``clusters.tsv``,
        ``summary.tsv``, ``failures.tsv``, ``index.html``, with `active_parts`,
        `regions` and `studies` ``parts.tsv``, ``regions.tsv`` and ``studies.tsv``, and
        in ``sources`` the tables of each source.
    maps : str or sequence of str, optional
        Names or patterns (``z_*``); the first map in order of interest if not given.
    atlas : str or path, optional
        What clusters are named by, as for `open_atlas`.
    mask : path or MaskSource, optional
        Look, and count tests, only there: in a mask or region image, or by
        ``MaskSource("map", "z", p=0.05)`` in another map of each result.
    dof : float or pair of float, optional
        Degrees of freedom of the t, chi2 and F maps among those that are asked.
    active_parts : float, optional
        Find the largest parts of clusters of which at least this share is active.
    regions : bool
        Say what share of each cluster lies in which region.
    studies : bool
        Say who is behind each cluster.
    leave_one_out : bool
        Estimate each ALE, MKDA or KDA whose foci are known anew without each
        experiment, and say in how many of these each cluster stands.
    kinds : mapping of str to str, optional
        What maps hold, by name, as for `open_results`; a name that a result does not
        have is passed over there, and one that no result has is told in the end.
    workers : int, optional
        Processes on this machine; 0 for none but this one. A script that starts
        processes calls this beneath ``if __name__ == "__main__":``.
    scheduler : str, optional
        Address of a dask.distributed scheduler whose workers do it instead. They have
        to see the same paths.
    progress : callable, optional
        Called as ``progress(source, done, total)`` after each source. What it raises
        stops the batch.
    resume : bool
        Go on with a batch that was stopped: what is done and has not changed on disk is
        kept. False asks all anew.
    **threshold
        ``value``, ``p``, ``q`` or ``bonferroni`` and ``fdr``, ``tail``,
        ``connectivity``, ``min_voxels``, ``min_mm3``, ``tdp_alpha`` and
        ``tdp_dependence``, as for `find_clusters`. Without a height each map has its
        first threshold: p <= .001, of corrected maps .05.

    Returns
    -------
    BatchSummary
        One bad source never stops the others: ``failed`` lists them.

    Raises
    ------
    ResultsError
        When the question means nothing for any map, the folder holds something else or
        another batch is at work in it, or there are no workers.

    Examples
    --------
    >>> import tempfile
    >>> import napari_neurosynth_results as nnr
    >>> from napari_neurosynth_results.sample import sample_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = nnr.run_batch(sample_folder(), folder, p=0.001, maps="z", workers=0)
    ...     print(done, done.clusters["title"].unique().tolist())
    1 source, 21 clusters ['pain-ale']
    """
    if workers is not None and (workers < 0 or scheduler):
        raise ResultsError("Give workers (0 or more) or a scheduler, not both.")
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    everything = list_sources(sources, Servers.from_environment())
    request = BatchRequest.of(
        maps,
        atlas,
        mask=mask,
        dof=dof,
        active_parts=active_parts,
        regions=regions,
        studies=studies,
        leave_one_out=leave_one_out,
        kinds=kinds,
        **threshold,
    )
    target = checked_name(out)
    with lock_folder(target):
        folder = BatchFolder(target, request, again=not resume)
        left = [s for s in everything if not (resume and folder.is_done(s))]
        job = Job(progress)
        done = len(everything) - len(left)

        def on_record(record: Record) -> None:
            nonlocal done
            done += 1
            job.report(record.source, done, len(everything))

        if left and scheduler:
            run_on_scheduler(
                left, request, folder, scheduler=scheduler, on_record=on_record
            )
        elif left:
            n = default_workers(len(left)) if workers is None else workers
            run_locally(left, request, folder, workers=n, on_record=on_record)
        records = folder.merge(everything)
        folder.write_page(render_page(records, request, folder))
    return BatchSummary(folder.path, request, tuple(records), len(left))
