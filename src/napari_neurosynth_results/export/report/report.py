"""One page about a result: what was found, then from what and how; in one file.

Of each map: what was found in a sentence, in a picture, its clusters, the studies
behind them. Then what was opened, the thresholds and the methods. The file needs no
network and runs no script. All texts that came from elsewhere are escaped by the
template engine.
"""

from __future__ import annotations

import base64
import io
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import check_path, write_text
from napari_neurosynth_results.export.figures import (
    comparison_figure,
    glass_figure,
    lightbox_figure,
    ortho_figure,
)
from napari_neurosynth_results.export.provenance import name_and_version, source_of
from napari_neurosynth_results.export.report.methods import (
    corrections_of,
    readable_methods,
)
from napari_neurosynth_results.export.tables.paper import (
    format_count,
    format_mm,
    format_p,
    paper_table,
    typeset,
)
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.results import Link, ResultSet
from napari_neurosynth_results.sources.files.safe_names import legible
from napari_neurosynth_results.statistics.clusters.active_parts import ActiveParts
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.clusters.effects import tell_effect
from napari_neurosynth_results.statistics.clusters.true_discoveries import write_percent
from napari_neurosynth_results.statistics.comparison.comparison import Comparison
from napari_neurosynth_results.statistics.p_values.conversion import short_p
from napari_neurosynth_results.statistics.studies.contributors import Contributors
from napari_neurosynth_results.statistics.thresholds.apply import describe_map
from napari_neurosynth_results.statistics.thresholds.cluster_level import (
    ClusterLevelResult,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Sharp on screens, and small enough for mail.
_DPI = 110
_WIDTH_MM = 180.0
_NO_JINJA = (
    'Reports need jinja2. Run:\n    pip install "napari-neurosynth-results[report]"'
)
_LICENSE = (
    "The brain under the maps is the ICBM 152 template (McGill University). Maps and "
    "studies belong to those who made them: see the pages linked above."
)
#: From nothing to most, on white: light to dark.
_RAMP = np.array([(255, 255, 255), (254, 217, 142), (217, 95, 14), (102, 37, 6)], float)
#: Darker than this, and the ink is white.
_DARK = 0.6
#: A smaller share would be written as 0 %.
_LEAST_WRITTEN = 0.005
#: A report stays readable, and small.
_MOST_STUDIES = 300
#: Clusters that are named before the picture.
_MOST_NAMES = 6
_TOUCH = {6: "a face", 18: "a face or an edge", 26: "a face, an edge or a corner"}
_RATES = {"q": "false discovery rate", "p_FWE": "family-wise error rate"}


@dataclass(frozen=True)
class Section:
    """What a report says of one map.

    Attributes
    ----------
    clusters : ClusterSet
        Its clusters.
    contributors : Contributors or None
        The studies behind them; None leaves them out.
    parts : ActiveParts or str or None
        The largest parts of which a share is active, or why nobody knows; None leaves
        them out.
    """

    clusters: ClusterSet
    contributors: Contributors | None = None
    parts: ActiveParts | str | None = None


def write_report(
    results: ResultSet,
    sections: Sequence[Section],
    path: str | os.PathLike[str],
    *,
    comparison: Comparison | None = None,
    job: Job | None = None,
    overwrite: bool = False,
) -> None:
    """Write a report of a result as one HTML file.

    Parameters
    ----------
    sections : sequence of Section
        One for each map that is reported.
    path : path
        Ends in ``.html``.
    comparison : Comparison, optional
        Of two maps.
    job : Job, optional
        Hears how far it is, in parts; may stop it.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    CancelledError
        When the job was cancelled.
    ResultsError
        When a library is missing, the file exists or cannot be written.
    """
    target = check_path(path, (".html", ".htm"), "a report is saved as .html")
    text = report_html(results, sections, comparison=comparison, job=job)
    if job is not None:
        job.begin_writing()
    write_text(target, legible(text), overwrite=overwrite)


def report_html(
    results: ResultSet,
    sections: Sequence[Section],
    *,
    comparison: Comparison | None = None,
    job: Job | None = None,
) -> str:
    """Write the text of a report.

    Parameters
    ----------
    results, sections, comparison, job
        As for `write_report`.

    Returns
    -------
    str
        HTML 5.

    Raises
    ------
    CancelledError
        When the job was cancelled.
    ResultsError
        When a library is missing.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise ResultsError(_NO_JINJA) from error
    job = job or Job()
    template = (
        files("napari_neurosynth_results.export.report") / "templates/report.html.j2"
    )
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.from_string(template.read_text(encoding="utf-8"))
    steps = len(sections) + bool(comparison)
    parts = []
    for number, section in enumerate(sections):
        job.report("Report", number, steps)
        parts.append(_section(section, job))
    compared = None
    if comparison is not None:
        job.report("Report", len(sections), steps)
        compared = _comparison(comparison)
    methods, why = _methods(results)
    atlases = {s.clusters.atlas for s in sections if s.clusters.atlas is not None}
    about = results.about
    return page.render(
        title=results.title,
        source=source_of(results),
        links=[link for link in about.links if _is_web(link)],
        authors=about.authors,
        description=about.description,
        maps=[
            {"title": m.title, "about": describe_map(m)} for m in results.maps.values()
        ],
        problems=results.problems,
        sections=parts,
        comparison=compared,
        thresholds=[_threshold(section.clusters) for section in sections],
        methods=methods,
        no_methods=why,
        corrections=corrections_of(results.methods),
        made_by=name_and_version(),
        atlas="; ".join(f"Regions: {one.name}. {one.citation}" for one in atlases),
        license=_LICENSE,
    )


def _is_web(link: Link) -> bool:
    # A link that a browser runs is none.
    return link.url.startswith(("https://", "http://"))


def _section(section: Section, job: Job) -> dict[str, Any]:
    clusters = section.clusters
    title, told = clusters.statmap.title, str(clusters.threshold)
    pictures = []
    if len(clusters):
        for figure, what in (
            (lightbox_figure, "Axial slices"),
            (ortho_figure, "Sagittal, coronal and axial slices through the peak"),
            (glass_figure, "Maximum projection from three sides"),
        ):
            job.check()
            made = figure(clusters, background="white", width_mm=_WIDTH_MM)
            alt = f"{what} of {title} at {told}; the clusters are in the table below."
            pictures.append(_picture(made, alt, f"{what}."))
    return {
        "title": title,
        "sentence": typeset(str(clusters)),
        "where": _where(clusters),
        "pictures": pictures,
        "table": paper_table(clusters),
        "n_clusters": len(clusters),
        "effects": _effects(clusters),
        "doubtful": _doubtful(clusters),
        "parts": _parts(section.parts) if section.parts is not None else None,
        "studies": _studies(section.contributors)
        if section.contributors is not None
        else None,
    }


def _where(clusters: ClusterSet) -> str:
    """Name the clusters that count, each with the place of its peak."""
    table = clusters.table
    rows = np.flatnonzero(clusters.surviving).tolist()
    xyz = table[["peak_x", "peak_y", "peak_z"]].to_numpy(float)
    named = [f"{clusters.names[row]} ({_place(xyz[row])})" for row in rows]
    left = len(named) - _MOST_NAMES
    told = "; ".join(named[:_MOST_NAMES])
    return f"{told}; and {left} more" if left > 0 else told


def _place(xyz: Iterable[float]) -> str:
    return ", ".join(map(format_mm, xyz))


def _threshold(clusters: ClusterSet) -> dict[str, str]:
    """Say how clusters were found, for a row of a table."""
    statmap, rate = clusters.statmap, clusters.error_rate
    touch = _TOUCH[clusters.connectivity]
    smallest = clusters.min_voxels
    mm3 = format_count(round(smallest * statmap.grid.voxel_mm3, 1))
    extent = f"at least {smallest} voxels ({mm3} mm³), " if smallest > 1 else ""
    controls = "none: not corrected for the number of tests"
    if rate is not None:
        how = f", {rate.method}" if rate.method else ""
        name = _RATES.get(rate.symbol, rate.symbol)
        controls = f"{name} at {short_p(rate.level)}{how}"
    return {
        "map": statmap.title,
        "threshold": typeset(str(clusters.threshold)),
        "clusters": f"{extent}voxels that share {touch}",
        "controls": controls,
    }


def _effects(clusters: ClusterSet) -> dict[str, Any] | None:
    """Say how large effects are; None where no map tells."""
    table = clusters.effects
    notices: tuple[str, ...] = table.attrs["notices"]
    if not notices:
        return None
    rows = [
        {
            "name": clusters.names[n],
            "peak": tell_effect(row),
            "cluster": tell_effect(row, "mean_"),
        }
        for n, row in enumerate(table.to_dict("records"))
        if clusters.surviving[n]
    ]
    return {"rows": rows, "notices": notices}


def _parts(parts: ActiveParts | str) -> dict[str, Any]:
    """List the parts of clusters of which a share is active, or say why nobody can."""
    if isinstance(parts, str):
        return {"sentence": parts, "rows": []}
    rows = [
        {
            "name": row["name"],
            "n_voxels": format_count(row["n_voxels"]),
            "active": format_count(row["true_discoveries"]),
            "tdp": write_percent(row["tdp_percent"]),
            "p": short_p(row["p"]),
            "place": _place(row[f"peak_{axis}"] for axis in "xyz"),
        }
        for row in parts.table.to_dict("records")
    ]
    return {"sentence": f"{parts}.", "how": str(parts.testing), "rows": rows}


def _doubtful(clusters: ClusterSet) -> list[str]:
    """Name the clusters that are not significant, and those that may not stay so."""
    threshold = clusters.threshold
    if not isinstance(threshold, ClusterLevelResult):
        return []
    told = []
    columns = ["peak_x", "peak_y", "peak_z", "cluster_p", "cluster_p_low"]
    columns += ["cluster_p_high", "significant", "borderline", "name"]
    for *numbers, significant, borderline, name in zip(
        *(clusters.table[column] for column in columns), strict=True
    ):
        if significant and not borderline:
            continue
        x, y, z, p, low, high = map(float, numbers)
        line = f"{name} ({_place((x, y, z))}): {threshold.p_word} "
        line += format_p(p, threshold.null)
        if not math.isnan(low):
            line += f", 95 % interval {low:.2g} to {high:.2g}"
        line += "" if significant else ", not significant"
        told.append(line + (", borderline" if borderline else ""))
    return told


def _studies(behind: Contributors) -> dict[str, Any] | None:
    """Gather sentences, heat maps of studies and clusters, and notes."""
    table = behind.ranked
    if table is None and not behind.elsewhere:
        return None
    sentences = _who_is_behind(behind)
    weak = [one["label"] for one in sentences if not one["counts"]]
    grids = []
    if table is not None:
        # Else nothing is known, but whose numbers there are.
        counted = behind.foci is not None
        grids.append(_grid(behind, table, counted=counted, any_weak=bool(weak)))
        shares = behind.ranked_shares
        if counted and shares is not None:
            grids.append(_grid(behind, shares, counted=False, any_weak=bool(weak)))
    return {
        "sentences": [one for one in sentences if one["counts"]],
        "others": [one for one in sentences if not one["counts"]],
        "notes": behind.notes,
        "grids": grids,
        "columns": [
            {"name": name, "label": label, "weak": label in weak}
            for label, name in enumerate(behind.clusters.names, start=1)
        ],
    }


def _grid(
    behind: Contributors, table: pd.DataFrame, *, counted: bool, any_weak: bool
) -> dict[str, Any]:
    """Lay out studies by clusters: their foci, else their shares."""
    most = float(np.nan_to_num(table.to_numpy(dtype=np.float64)).max(initial=0.0))
    shown = table.iloc[:_MOST_STUDIES]
    values = shown.to_numpy(dtype=np.float64).tolist()
    rows = []
    for name, found_in in zip(map(str, shown.index), values, strict=True):
        cells = [_cell(value, most, counted) for value in found_in]
        found = behind.experiments.find(name) if behind.experiments else None
        link = found.study.link if found is not None else ""
        rows.append({"title": behind.title(name), "link": link, "cells": cells})
    what = "Foci" if counted else "Share of the statistic (jackknife)"
    left = len(table) - len(shown)
    caption = f"{what} of each study in each cluster, numbered as above"
    caption += "; in gray those that are not significant." if any_weak else "."
    caption += f" {left} more studies are left out." if left else ""
    return {"rows": rows, "caption": caption}


def _who_is_behind(behind: Contributors) -> list[dict[str, Any]]:
    """Say who is behind each cluster, and whether the cluster counts."""
    return [
        {
            "label": label,
            "text": " ".join(behind.told_of(label)),
            "caution": behind.caution(label),
            "counts": bool(counts),
        }
        for label, counts in enumerate(behind.clusters.surviving, start=1)
    ]


def _cell(value: float, most: float, counted: bool) -> dict[str, str]:
    """Color a cell by its share of the largest value."""
    if np.isnan(value):
        return {"color": "#eee", "ink": "#000", "text": ""}
    strength = min(max(value / most, 0.0), 1.0) if most > 0 else 0.0
    steps = np.linspace(0, 1, len(_RAMP))
    parts = [round(float(np.interp(strength, steps, part))) for part in _RAMP.T]
    text = ""
    # A share of less than half a percent is written as nothing.
    if value >= (1 if counted else _LEAST_WRITTEN):
        text = f"{value:.0f}" if counted else f"{100 * value:.0f}%"
    return {
        "color": "#" + "".join(f"{part:02x}" for part in parts),
        "ink": "#fff" if strength > _DARK else "#000",
        "text": text,
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    figure = comparison_figure(comparison, background="white", width_mm=_WIDTH_MM)
    alt = f"Where {comparison.name_a} and {comparison.name_b} survive their thresholds."
    rows = [
        {
            "measure": measure,
            "over": over,
            "value": "" if math.isnan(value) else f"{value:,.6g} {unit}".strip(),
        }
        for measure, over, value, unit in comparison.table.to_numpy().tolist()
    ]
    return {
        "sentence": typeset(str(comparison)),
        "pictures": [
            _picture(
                figure,
                alt,
                "Where only one map is above its threshold, and where both are.",
            )
        ],
        "a": typeset(f"{comparison.name_a}: {comparison.threshold_a}"),
        "b": typeset(f"{comparison.name_b}: {comparison.threshold_b}"),
        "rows": rows,
        "notes": comparison.notices,
    }


def _methods(results: ResultSet) -> tuple[Any, str]:
    """Read the methods text; say why where there is none to read."""
    if not results.methods:
        return None, "This result has no methods text."
    try:
        return readable_methods(results.methods, results.references), ""
    except ResultsError as error:
        return None, str(error)


def _picture(figure: Figure, alt: str, caption: str) -> dict[str, Any]:
    """Draw a figure into the page itself."""
    drawn = io.BytesIO()
    figure.savefig(
        drawn,
        format="png",
        dpi=_DPI,
        facecolor=figure.get_facecolor(),
        metadata={"Software": None},
    )
    # The renderer drops the part of a pixel.
    width, height = (int(inches * _DPI) for inches in figure.get_size_inches())
    return {
        "data": base64.b64encode(drawn.getvalue()).decode("ascii"),
        "alt": alt,
        "caption": caption,
        "width": width,
        "height": height,
    }
