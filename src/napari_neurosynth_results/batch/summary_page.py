"""The page of a batch: what was asked, what came of each source, and where it is."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from napari_neurosynth_results._version import __version__
from napari_neurosynth_results.batch.one_source import DONE, Record
from napari_neurosynth_results.batch.output_folder import SOURCES, BatchFolder
from napari_neurosynth_results.batch.request import BatchRequest

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
    parts = [
        _HEAD,
        "<body>\n<h1>Clusters of many results</h1>\n",
        f"<p>{len(records)} source{'s' * (len(records) != 1)}, {clusters:,} clusters, "
        f"{failed} with failures.</p>\n",
        f"<p>Asked: {escape(str(request))}.</p>\n",
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
