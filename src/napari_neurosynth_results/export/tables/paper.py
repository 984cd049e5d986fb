"""The table of clusters that a paper prints, in Markdown, LaTeX and HTML."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_neurosynth_results.anatomy.atlas import with_distance
from napari_neurosynth_results.anatomy.planes import hemisphere_letter
from napari_neurosynth_results.export.escaping import (
    for_html,
    for_latex,
    for_markdown,
    plain_text,
    short_text,
)
from napari_neurosynth_results.export.provenance import MNI, space_of
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.corrected import COUNTED
from napari_neurosynth_results.statistics.clusters.true_discoveries import write_percent
from napari_neurosynth_results.statistics.p_values.conversion import P_TOLERANCE
from napari_neurosynth_results.statistics.p_values.monte_carlo import NullDistribution
from napari_neurosynth_results.statistics.thresholds.cluster_level import (
    ClusterLevelResult,
)

#: Column of `ClusterSet.corrected` -> its heading.
_CORRECTED = {
    "p_fwe_mass": "p (FWE, cluster mass)",
    "p_fwe_size": "p (FWE, cluster size)",
    "peak_p_fwe": "p (FWE, peak)",
    "peak_q": "q (FDR, peak)",
}
_TDP = "TDP"
_UNCORRECTED = "p (uncorrected)"
_MINUS = "−"  # noqa: RUF001
#: Smaller p are not told apart in papers.
_LEAST_P = 0.001


@dataclass(frozen=True)
class Line:
    """One row: the peak of a cluster, of which label, or a sub-peak below it."""

    cells: tuple[str, ...]
    is_sub_peak: bool = False
    label: int = 0


@dataclass(frozen=True)
class PaperTable:
    """A table in words and signs, nothing escaped yet.

    Attributes
    ----------
    title : str
        What is shown, at which threshold, and what came of it.
    columns : tuple of str
        Headings; the first two columns are texts, the others numbers.
    lines : tuple of Line
        The rows.
    notices : tuple of str
        What has to be known before the numbers are believed, in sentences.
    notes : tuple of str
        How they are to be read: atlas, space, what is indented, in sentences.
    """

    title: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...] = field(repr=False)
    notices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def caption(self) -> str:
        """All that stands above the table."""
        return " ".join((self.title, *self.notices, *self.notes))


def paper_table(clusters: ClusterSet) -> PaperTable:
    """Lay out the clusters of a map as papers do.

    Parameters
    ----------
    clusters : ClusterSet
        Of a cluster-level corrected map only the significant ones are shown; the
        caption then says how many are not.

    Returns
    -------
    PaperTable
        Region, side, place, size, statistic and p of each peak; below it its sub-peaks.
    """
    p_columns = _p_columns(clusters) | _tdp_column(clusters)
    p_columns |= _survival_column(clusters)
    lines: list[Line] = []
    kept = np.flatnonzero(clusters.surviving)
    # Once for all: a peak's own rows are not searched for in the peaks of all clusters.
    peaks: dict[int, list[dict[str, Any]]] = {}
    for position, peak in enumerate(clusters.peaks.to_dict("records")):
        peaks.setdefault(int(peak["label"]), []).append(
            {str(key): value for key, value in peak.items()} | {"position": position}
        )
    for row in kept.tolist():
        lines += _write_lines(clusters, row, peaks.get(row + 1, []), p_columns)
    columns = (
        *("Region" if clusters.atlas else "Cluster", "Side", "x", "y", "z"),
        *("Voxels", "mm³", f"Peak {_statistic(clusters)}"),
        *p_columns,
    )
    return PaperTable(
        f"Clusters of {short_text(clusters.statmap.title)}: {typeset(str(clusters))}.",
        columns,
        tuple(lines),
        _notices(clusters),
        _notes(clusters, len(clusters) - len(kept)),
    )


def _statistic(clusters: ClusterSet) -> str:
    """Name the statistic with its degrees of freedom, as in ``t(18)``."""
    kind, source = str(clusters.values.kind), clusters.test
    dof = None if source is None else source.own_dof
    if dof is None or isinstance(dof, np.ndarray):
        return kind
    return f"{kind}({', '.join(f'{n:.6g}' for n in np.atleast_1d(dof))})"


def _write_lines(
    clusters: ClusterSet,
    row: int,
    peaks: list[dict[str, Any]],
    p_columns: dict[str, list[str]],
) -> list[Line]:
    """Write the peak of a cluster, and its sub-peaks below it."""
    found = clusters.labelled
    mm3 = round(int(found.size[row]) * clusters.statmap.grid.voxel_mm3, 1)
    size = (format_count(int(found.size[row])), format_count(mm3))
    lines = []
    for peak in peaks:
        sub = bool(peak["rank"] > 0)
        cells = (
            *_place(clusters, peak, row, sub),
            *(("", "") if sub else size),
            format_value(float(peak["peak_value"]), clusters.values.kind),
            *(column[peak["position"]] for column in p_columns.values()),
        )
        lines.append(Line(cells, sub, row + 1))
    return lines


def _p_columns(clusters: ClusterSet) -> dict[str, list[str]]:
    """Write the p that are known of each peak and sub-peak, by heading.

    Corrected ones, where there are any. Those of other maps are looked up at the peak
    of a cluster; what was thresholded itself says it of sub-peaks too.
    """
    threshold, peaks, null = clusters.threshold, clusters.peaks, clusters.null
    main = (peaks["rank"] == 0).to_numpy()
    cluster = peaks["label"].to_numpy(int) - 1

    def written(p: Any, counted: NullDistribution | None) -> list[str]:
        everywhere = np.where(main, np.asarray(p, float)[cluster], np.nan)
        return [_p_in_cell(float(one), counted) for one in everywhere]

    if isinstance(threshold, ClusterLevelResult):
        word = threshold.p_word.partition("_")[0]
        heading = f"{word} ({threshold.correction}, cluster)"
        return {heading: written(clusters.cluster_p, null)}
    found, columns = clusters.corrected, {}
    for column, heading in _CORRECTED.items():
        # No q was counted in iterations.
        counted = null if column in COUNTED else None
        if column in peaks:
            columns[heading] = [_p_in_cell(float(p), counted) for p in peaks[column]]
        elif found[column].notna().any():
            columns[heading] = written(found[column], counted)
    if not columns:
        columns[_UNCORRECTED] = [_p_in_cell(float(p)) for p in peaks["peak_p"]]
    return columns


def _tdp_column(clusters: ClusterSet) -> dict[str, list[str]]:
    """Write how much of each cluster is active at least; sub-peaks have no extent."""
    percent, peaks = clusters.table["tdp_percent"].to_numpy(), clusters.peaks
    if not np.isfinite(percent).any():
        return {}
    rows = zip(peaks["rank"].tolist(), peaks["label"].tolist(), strict=True)
    return {_TDP: ["" if sub else write_percent(percent[n - 1]) for sub, n in rows]}


def _survival_column(clusters: ClusterSet) -> dict[str, list[str]]:
    """Write in how many re-estimations each cluster stands, where that is known."""
    if not clusters.survival:
        return {}
    stands = clusters.table["stands"].tolist()
    peaks = zip(clusters.peaks["label"], clusters.peaks["rank"], strict=True)
    cells = ["" if rank else str(stands[label - 1]) for label, rank in peaks]
    return {f"Stands in (of {_n_left_out(clusters)})": cells}


def _n_left_out(clusters: ClusterSet) -> int:
    return int(clusters.table["stands_of"].max())


def _place(
    clusters: ClusterSet, peak: dict[str, Any], row: int, sub: bool
) -> list[str]:
    """Name the region of a peak and its side, and write its coordinates."""
    x = float(peak["peak_x"])
    side = hemisphere_letter(x) or "midline"
    region = str(peak["region"])
    # The side has a column of its own; where the region lies on the other one, as near
    # the midline, its name says so.
    region = region.removesuffix(f" {side}")
    name = with_distance(region[:1].upper() + region[1:], float(peak["region_mm"]))
    if not sub:
        given = clusters.given_names.get(clusters.peak_voxels[row])
        if given:
            name = f"{short_text(given)} ({name})" if name else given
        elif not name:
            name = clusters.names[row][:1].upper() + clusters.names[row][1:]
    xyz = [format_mm(float(peak[f"peak_{axis}"])) for axis in "xyz"]
    return [short_text(name), side, *xyz]


def _notices(clusters: ClusterSet) -> tuple[str, ...]:
    """Say what the window says beside the clusters, and whose the printed p are."""
    told = [*clusters.notices]
    if not isinstance(clusters.threshold, ClusterLevelResult):
        # Else the only p of clusters is that of the map itself.
        told += clusters.whose_p
    return tuple(f"{typeset(plain_text(one)).removesuffix('.')}." for one in told)


def _notes(clusters: ClusterSet, left_out: int) -> tuple[str, ...]:
    """Say in sentences how the table is to be read."""
    told = []
    if np.isfinite(clusters.table["tdp"]).any():
        told.append(f"{typeset(str(clusters.proven))}.")
    if left_out:
        told.append(
            "1 cluster that is not significant is left out."
            if left_out == 1
            else f"{left_out} clusters that are not significant are left out."
        )
    if (atlas := clusters.atlas) is not None:
        cited = f" ({short_text(atlas.citation)})" if atlas.citation else ""
        told.append(f"Regions: {short_text(atlas.name)}{cited}.")
    space = space_of(clusters.statmap.grid)
    where = f"{space} space" if space else f"the space of the map, which is not {MNI}"
    told.append(f"Coordinates x, y, z in mm, {where}.")
    if (clusters.peaks["rank"] > 0).any():
        told.append(
            "Indented: further peaks of the same cluster, more than "
            f"{clusters.peak_distance:g} mm apart."
        )
    if clusters.survival:
        told.append(
            f"Stands in: of {_n_left_out(clusters)} re-estimations of the "
            "meta-analysis, each without one experiment, those in which a cluster of "
            "at least the same extent at the same height overlaps; no test, and not "
            "corrected anew."
        )
    if any(math.isfinite(mm) and mm > 0 for mm in clusters.peak_regions["region_mm"]):
        told.append("Distances in parentheses: from the peak to the nearest region.")
    return tuple(told)


# --- numbers as papers write them -------------------------------------------------


def format_p(p: float, null: NullDistribution | None = None) -> str:
    """Write a p with its relation.

    Parameters
    ----------
    p : float
        NaN where it is not known.
    null : NullDistribution, optional
        What a Monte Carlo p was counted in: it knows nothing beyond its ends.

    Returns
    -------
    str
        Empty for NaN.

    Examples
    --------
    >>> format_p(0.012), format_p(2e-5), format_p(0.9999), format_p(1.0)
    ('= .012', '< .001', '> .999', '= 1')
    >>> format_p(0.005, NullDistribution(200))
    '≤ .005'
    """
    if math.isnan(p):
        return ""
    if p < _LEAST_P * (1 - P_TOLERANCE):
        return "< .001"
    if p == 1:
        return "= 1"
    if p > 1 - _LEAST_P * (1 - P_TOLERANCE):
        return "> .999"
    relation = null.relation(p) if null is not None else "="
    return f"{typeset(relation)} {_decimals(p)}"


def _p_in_cell(p: float, null: NullDistribution | None = None) -> str:
    """Write a p below its heading, where it needs no sign to be equal."""
    return format_p(p, null).removeprefix("= ")


def _decimals(p: float) -> str:
    return f"{p:.3f}".removeprefix("0")


def format_value(value: float, kind: MapKind) -> str:
    """Write the statistic at a peak.

    >>> format_value(3.456, MapKind.Z), format_value(0.012345, MapKind.STAT)
    ('3.46', '0.0123')
    """
    if math.isnan(value):
        return ""
    return format(value, kind.row.written).replace("-", _MINUS)


def format_mm(mm: float) -> str:
    """Write a coordinate, without decimals where it has none.

    >>> format_mm(42.0), format_mm(2.5), format_mm(-0.0)
    ('42', '2.5', '0')
    """
    return f"{round(mm, 1) + 0.0:g}".replace("-", _MINUS)


def format_count(count: float) -> str:
    """Write a number of voxels or mm3.

    >>> format_count(12345), format_count(12.5)
    ('12,345', '12.5')
    """
    return f"{count:,.0f}" if float(count).is_integer() else f"{count:,.1f}"


def typeset(sentence: str) -> str:
    """Write relations and units of a sentence about a threshold as papers do.

    >>> typeset("z >= 3.09 (p <= .001), extent >= 10 voxels (80 mm3)")
    'z ≥ 3.09 (p ≤ .001), extent ≥ 10 voxels (80 mm³)'
    """
    for written, sign in ((">=", "≥"), ("<=", "≤"), (" mm3", " mm³"), (" cm3", " cm³")):
        sentence = sentence.replace(written, sign)
    return sentence


# --- the table as text: Markdown, LaTeX (booktabs), HTML ---------------------------

#: Columns of texts; the others hold numbers.
_TEXTS = 2
_STYLE = """
table { border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; }
caption { text-align: left; padding-bottom: 0.5em; max-width: 60em; }
th { border-bottom: 1px solid; }
th, td { padding: 0.15em 0.6em; text-align: right; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
tr.sub-peak td:first-child { padding-left: 2em; }
""".strip()


def as_markdown(table: PaperTable, origin: str) -> str:
    """Write a table in Markdown.

    Parameters
    ----------
    origin : str
        Where it comes from, for a comment.

    Returns
    -------
    str
        The caption, and a table with pipes.
    """
    n = len(table.columns)
    rule = [":--"] * _TEXTS + ["--:"] * (n - _TEXTS)
    rows = [_row(map(for_markdown, table.columns)), _row(rule)]
    rows += [_row(_indented(line, for_markdown, "&emsp;")) for line in table.lines]
    # What ends a comment cannot be in it.
    told = re.sub("-{2,}|[<>]", "-", plain_text(origin))
    return (
        f"<!-- {told} -->\n\n**Table.** {for_markdown(table.caption)}\n\n"
        + "\n".join(rows)
        + "\n"
    )


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _indented(line: Line, escape: Callable[[str], str], indent: str) -> list[str]:
    """Escape the cells of a row; a sub-peak stands below its peak."""
    cells = [escape(cell) for cell in line.cells]
    if line.is_sub_peak:
        cells[0] = f"{indent}{cells[0]}"
    return cells


def _latex_head(column: str) -> str:
    """Break a long head after its comma."""
    first, comma, rest = map(for_latex, column.partition(", "))
    return rf"\shortstack[r]{{{first},\\{rest}}}" if comma else first


def as_latex(table: PaperTable, origin: str) -> str:
    """Write a table in LaTeX, for the packages booktabs and graphicx.

    Parameters
    ----------
    origin : str
        Where it comes from, for a comment.

    Returns
    -------
    str
        A table environment.
    """
    n = len(table.columns)
    head = " & ".join(map(_latex_head, table.columns))
    rows = [
        " & ".join(_indented(line, for_latex, r"\quad ")) + r" \\"
        for line in table.lines
    ]
    lines = [
        f"% {plain_text(origin)}",
        r"% \usepackage{booktabs,graphicx}; beyond Latin letters, XeLaTeX or LuaLaTeX",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{for_latex(table.caption)}}}",
        # Smaller where it would be wider than the page or column, as it is.
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{'l' * _TEXTS}{'r' * (n - _TEXTS)}}}",
        r"\toprule",
        rf"{head} \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def as_html(table: PaperTable, origin: str) -> str:
    """Write a table as a page of its own, without scripts or anything from elsewhere.

    Parameters
    ----------
    origin : str
        Where it comes from, for the head of the page.

    Returns
    -------
    str
        HTML 5.
    """
    head = "".join(f'<th scope="col">{for_html(name)}</th>' for name in table.columns)
    rows = []
    for line in table.lines:
        cells = "".join(f"<td>{for_html(cell)}</td>" for cell in line.cells)
        kind = ' class="sub-peak"' if line.is_sub_peak else ""
        rows.append(f"<tr{kind}>{cells}</tr>")
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><title>Clusters</title>',
        f'<meta name="generator" content="{for_html(origin)}">',
        f"<style>\n{_STYLE}\n</style></head>",
        "<body>",
        "<table>",
        f"<caption>{for_html(table.caption)}</caption>",
        f"<thead><tr>{head}</tr></thead>",
        "<tbody>",
        *rows,
        "</tbody>",
        "</table>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


#: How a table is written, by extension.
FORMATS: dict[str, Callable[[PaperTable, str], str]] = {
    ".md": as_markdown,
    ".tex": as_latex,
    ".html": as_html,
}
