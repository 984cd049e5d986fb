"""Tables on disk: what they show is said in their first lines and in a JSON beside."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import (
    already_exists,
    check_path,
    open_for_text,
    put_text,
    write_together,
)
from napari_neurosynth_results.export.escaping import for_spreadsheet, plain_text
from napari_neurosynth_results.export.provenance import (
    PACKAGE,
    provenance_details,
    provenance_lines,
    software,
)
from napari_neurosynth_results.sources.placeholders import load_json, read_at_most
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = {".csv": ",", ".tsv": "\t"}
#: Quoted, or a reader would take them for the end of a cell or for a comment.
_QUOTED = frozenset('",#')
#: Far above any sidecar of ours.
_MOST_BYTES = 1 << 20

_MM = "mm"
_PERCENT = "percent"

#: Column -> what it means, and its unit.
COLUMNS: dict[str, tuple[str, str]] = {
    "label": ("Number of the cluster, and its value in the label volume", ""),
    "name": ("The name that the user gave, else the region of the peak", ""),
    "sign": ("1 for a positive cluster, -1 for a negative one", ""),
    "rank": ("0 for the peak of the cluster, then its sub-peaks by strength", ""),
    "n_voxels": ("Number of voxels", "voxels"),
    "volume_mm3": ("Volume", "mm^3"),
    "peak_x": ("Place of the peak, right positive", _MM),
    "peak_y": ("Place of the peak, anterior positive", _MM),
    "peak_z": ("Place of the peak, superior positive", _MM),
    "peak_value": (
        "Signed value of the test at the peak, in the unit of PeakMap; empty where "
        "only corrected maps are at hand",
        "",
    ),
    "peak_p": (
        "p of the test at the peak, uncorrected for a corrected map too; may underflow "
        "to 0; empty where nobody knows it",
        "",
    ),
    "peak_logp": ("-log10 of the uncorrected p at the peak", ""),
    "mean_value": ("Signed mean of the test's values in the cluster", ""),
    "center_x": ("Center of mass by strength, right positive", _MM),
    "center_y": ("Center of mass by strength, anterior positive", _MM),
    "center_z": ("Center of mass by strength, superior positive", _MM),
    "inner_x": ("Voxel of the cluster nearest to its center, right positive", _MM),
    "inner_y": ("Voxel of the cluster nearest to its center, anterior positive", _MM),
    "inner_z": ("Voxel of the cluster nearest to its center, superior positive", _MM),
    "box_x_min": ("Middle of the leftmost voxel of the cluster", _MM),
    "box_x_max": ("Middle of the rightmost voxel of the cluster", _MM),
    "box_y_min": ("Middle of the hindmost voxel of the cluster", _MM),
    "box_y_max": ("Middle of the foremost voxel of the cluster", _MM),
    "box_z_min": ("Middle of the lowest voxel of the cluster", _MM),
    "box_z_max": ("Middle of the highest voxel of the cluster", _MM),
    "region": ("Region of the atlas; in a list of peaks the region of the peak", ""),
    "region_percent": ("Share of the cluster in the region of its peak", _PERCENT),
    "region_mm": ("Distance from the peak to the region; 0 inside of it", _MM),
    "percent": ("Share of the cluster in the region", _PERCENT),
    "significant": (
        "Whether the cluster is significant at the level that was asked; empty where "
        "the threshold controls no error rate",
        "",
    ),
    "cluster_p": ("Corrected p of the cluster", ""),
    "cluster_p_low": ("Lower end of the 95 % interval of the Monte Carlo p", ""),
    "cluster_p_high": ("Upper end of the 95 % interval of the Monte Carlo p", ""),
    "borderline": (
        "Whether the 95 % interval includes the level of significance, so that another "
        "run might decide otherwise",
        "",
    ),
    "tdp": (
        "True discovery proportion: at least this share of the voxels is active, as "
        "TrueDiscoveries says; empty where nobody knows any",
        "",
    ),
    "tdp_percent": ("The same in percent", _PERCENT),
    "true_discoveries": ("At least so many of the voxels are active", "voxels"),
    "part": ("Number of the part of a cluster; its label in a volume of parts", ""),
    "p": ("Largest uncorrected p in the part: its own threshold", ""),
    "p_fwe_mass": (
        "FWE-corrected p by cluster mass; empty where NiMARE tested a cluster of other "
        "voxels",
        "",
    ),
    "p_fwe_size": (
        "FWE-corrected p by cluster size; empty where NiMARE tested a cluster of other "
        "voxels",
        "",
    ),
    "peak_p_fwe": ("FWE-corrected p of the voxel of the peak", ""),
    "peak_q": (
        "q at the peak: the smallest false discovery rate at which it is kept",
        "",
    ),
    **{
        f"{column}_{end}": (f"{what}{of}", "")
        for column, of in (
            ("p_fwe_mass", "p by cluster mass"),
            ("p_fwe_size", "p by cluster size"),
            ("peak_p_fwe", "p of the peak"),
        )
        for end, what in (
            ("low", "Lower end of the 95 % interval of the Monte Carlo "),
            ("high", "Upper end of the 95 % interval of the Monte Carlo "),
            ("plus_one", "(b + 1) / (n + 1), where NiMARE counts b / n: "),
        )
    },
    **{
        f"{mean}{column}": (what + of, "")
        for mean, of in (("", "at the peak"), ("mean_", "over the cluster"))
        for column, what in (
            ("est", "Estimated effect, in the unit of the maps that went in, "),
            ("se", "Standard error of the estimate, "),
            ("est_low", "Lower end of the 95 % confidence interval of the effect "),
            ("est_high", "Upper end of the 95 % confidence interval of the effect "),
            ("pi_low", "Lower end of the 95 % prediction interval of a new study "),
            ("pi_high", "Upper end of the 95 % prediction interval of a new study "),
            ("tau2", "Variance between studies "),
            ("i2", "I2: share of the variance that lies between studies, "),
        )
    },
    "experiment": ("Experiment behind the cluster", ""),
    "study": ("Study that the experiment belongs to", ""),
    "year": ("Year of publication", ""),
    "foci": ("Foci of the experiment in the cluster", "foci"),
    "share": ("Share of the cluster's mean statistic that is lost without it", ""),
    "peak_share": ("Share of the statistic at the peak that is lost without it", ""),
    "peak_activation": ("Its modeled activation at the peak", ""),
    "mean_activation": ("Mean of its modeled activation over the cluster", ""),
    "stands": (
        "In how many re-estimations, each without one experiment, a cluster of at "
        "least the same extent at the same height overlaps it; no test",
        "",
    ),
    "stands_of": ("How many re-estimations there were", ""),
    "lost_without": ("The experiments without which none overlaps it", ""),
    "least_kept_percent": (
        "Smallest share of its voxels that is in such clusters without an experiment",
        _PERCENT,
    ),
    "least_kept_without": ("The experiment without which that is so", ""),
    "participants": ("Number of participants", "participants"),
    "link": ("Web page of the study", ""),
}


def write_table(
    clusters: ClusterSet,
    table: pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    about: str,
    notes: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Write a table that belongs to some clusters, and a JSON that describes it.

    Parameters
    ----------
    clusters : ClusterSet
        The clusters: their map, threshold, atlas and source are stated.
    table : pandas.DataFrame
        What to write. Texts, which others may have chosen, cannot become formulas.
    path : path
        ``.tsv`` or ``.csv``; the description has the same name and ``.json``.
    about : str
        What one row is.
    notes : sequence of str
        More lines to begin with.
    overwrite : bool
        Replace a file that exists, and its own description.

    Raises
    ------
    ResultsError
        When the extension is unknown, a file exists or cannot be written.
    """
    known = ", ".join(SEPARATORS)
    target = check_path(path, SEPARATORS, f"a table is saved as {known}")
    details = {
        "Description": about,
        "Notes": [plain_text(note) for note in notes],
        **provenance_details(clusters),
        **software(),
    }
    beside = os.path.splitext(target)[0] + ".json"
    _check_free(beside, target, overwrite)
    lines = provenance_lines(clusters, notes)
    described = sidecar(os.path.basename(target), table, details)
    write_together(
        {
            target: lambda part: write_delimited(part, table, lines),
            beside: lambda part: write_json(part, described),
        },
        overwrite=overwrite,
    )


def extension_of(path: str) -> str:
    """Return the extension of a file, in small letters."""
    return os.path.splitext(path)[1].lower()


def write_delimited(path: str, table: pd.DataFrame, lines: Sequence[str]) -> None:
    """Write a table as text; its extension says what stands between cells.

    Parameters
    ----------
    path : str
        ``.tsv`` or ``.csv``.
    table : pandas.DataFrame
        Each cell is one number or one line.
    lines : sequence of str
        What to begin with, marked ``#``.
    """
    separator = SEPARATORS[extension_of(path)]
    columns = [_cells(table.iloc[:, number]) for number in range(table.shape[1])]
    header = [_quote(for_spreadsheet(str(name))) for name in table.columns]
    with open_for_text(path) as file:
        file.writelines(f"{for_spreadsheet(f'# {line}')}\n" for line in lines)
        for row in (header, *zip(*columns, strict=True)):
            file.write(separator.join(row) + "\n")


def _cells(column: pd.Series[Any]) -> list[str]:
    """Write the cells of a column; empty where nothing is known."""
    unknown = column.isna()
    return [
        "" if gone else _quote(for_spreadsheet(x) if isinstance(x, str) else str(x))
        for x, gone in zip(column.tolist(), unknown, strict=True)
    ]


def _quote(text: str) -> str:
    if _QUOTED.isdisjoint(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def sidecar(
    name: str, table: pd.DataFrame, details: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe a table for programs.

    Parameters
    ----------
    name : str
        Of its file.
    table : pandas.DataFrame
        Its columns.
    details : mapping
        What else is known.

    Returns
    -------
    dict
        Columns and details side by side, as BIDS has it.
    """
    columns = describe_columns(str(column) for column in table.columns)
    return {"File": name, **details, **columns}


def describe_columns(columns: Iterable[str]) -> dict[str, Any]:
    """Describe columns in the words of BIDS.

    Parameters
    ----------
    columns : iterable of str
        Their names.

    Returns
    -------
    dict
        Column -> ``Description`` and, where it has a unit, ``Units``; without the
        columns that nobody has described.
    """
    found: dict[str, Any] = {}
    for column in columns:
        if column in COLUMNS:
            meaning, unit = COLUMNS[column]
            found[column] = {"Description": meaning}
            if unit:
                found[column]["Units"] = unit
    return found


def write_json(path: str, content: Mapping[str, Any]) -> None:
    """Write JSON that people can read too."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    put_text(path, text + "\n")


def _check_free(beside: str, target: str, overwrite: bool) -> None:
    """Refuse to replace the description of another file, or what is none."""
    there = [path for path in (target, beside) if os.path.lexists(path)]
    if there and not overwrite:
        raise already_exists(there[0])
    if beside not in there:
        return
    if not _describes(beside, os.path.basename(target)):
        raise ResultsError(
            f"{beside} is in the way: it does not describe {target}. Choose another "
            "name."
        )


def _describes(beside: str, name: str) -> bool:
    if not os.path.isfile(beside):  # a pipe would never end
        return False
    try:
        with open(beside, "rb") as file:
            found = load_json(read_at_most(file, _MOST_BYTES))
        maker = found["GeneratedBy"][0]["Name"]
        return bool(maker == PACKAGE and found["File"] == name)
    except (OSError, ValueError, LookupError, TypeError):
        return False
