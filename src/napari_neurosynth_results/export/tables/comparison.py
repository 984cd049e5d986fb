"""A comparison on disk: a new folder of tables and volumes that say what they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_neurosynth_results.export.atomic import write_folder
from napari_neurosynth_results.export.escaping import plain_text
from napari_neurosynth_results.export.provenance import (
    name_and_version,
    provenance_details,
    software,
    source_of,
)
from napari_neurosynth_results.export.tables.write import (
    sidecar,
    write_delimited,
    write_json,
)
from napari_neurosynth_results.export.volumes import (
    Meaning,
    meaning_of,
    space_code,
    write_volume,
)
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.comparison import Comparison
from napari_neurosynth_results.statistics.comparison.matrix import Matrix

if TYPE_CHECKING:
    import pandas as pd

Details = dict[str, Any]

_MEASURES = ("dice", "jaccard", "r", "rho")
#: NIfTI-1 intent codes (nifti1.h).
_NO_INTENT, _Z_SCORE, _LOG10_P, _LABEL = 0, 5, 24, 1002
#: What the values of the agreement volume mean; also in its header.
_AGREEMENT = "0 neither, 1 only a, 2 only b, 3 both, 4 opposite signs"


def save_comparison(
    comparison: Comparison | Matrix, folder: str | os.PathLike[str]
) -> list[str]:
    """Write a comparison into a new folder.

    Parameters
    ----------
    comparison : Comparison or Matrix
        What to write. Of two maps ``comparison.tsv``, ``clusters.tsv``,
        ``agreement.nii.gz`` and, where there is one, ``conjunction.nii.gz`` (z) with
        ``conjunction_logp.nii.gz``, which says its p whatever the tail, and
        ``difference.nii.gz``. Of many ``comparison.tsv``, ``dice.tsv``,
        ``jaccard.tsv``, ``r.tsv`` and ``rho.tsv``. Lines that begin with ``#`` state
        maps, thresholds and sources, as does a ``.json`` beside each table.
    folder : path
        A name that is not taken. It is there only when it is whole.

    Returns
    -------
    list of str
        The files.

    Raises
    ------
    ResultsError
        When the folder exists or cannot be written, or a map cannot be read.
    """
    target = os.fspath(folder)
    names: list[str] = []
    write_folder(
        target, lambda partial: names.extend(fill_with_comparison(partial, comparison))
    )
    return [os.path.join(target, name) for name in names]


def fill_with_comparison(folder: str, comparison: Comparison | Matrix) -> list[str]:
    """Write a comparison into a folder that nobody reads yet.

    Returns
    -------
    list of str
        Names of the files, as `save_comparison` lists them.
    """
    write = _write_many if isinstance(comparison, Matrix) else _write_two
    return write(comparison, folder)


def _write_two(comparison: Any, folder: str) -> list[str]:
    """Write what is known of two maps; return the names of the files."""
    lines = _lines(comparison)
    details = _details([comparison.a, comparison.b])
    names = []
    for name, table in (
        ("comparison.tsv", comparison.table),
        ("clusters.tsv", comparison.clusters),
    ):
        names += _write_table(folder, name, table, lines, details)
    code = space_code(comparison.grid)
    affine = comparison.grid.affine
    volumes = [("agreement", comparison.agreement, Meaning("label", "", _AGREEMENT))]
    if (conjunction := comparison.conjunction) is not None:
        logp = conjunction.results.siblings(conjunction)["logp"]
        for stem, statmap in (("conjunction", conjunction), ("conjunction_logp", logp)):
            volumes.append((stem, statmap.data, meaning_of(statmap)))
    if (difference := comparison.difference) is not None:
        volumes.append(
            ("difference", difference.data, Meaning("none", "", "a minus b"))
        )
    for stem, voxels, meaning in volumes:
        names.append(f"{stem}.nii.gz")
        path = os.path.join(folder, names[-1])
        write_volume(path, voxels, affine, replace(meaning, name=stem), code)
    return names


def _lines(comparison: Comparison) -> list[str]:
    """State maps, thresholds and doubts."""
    lines = [
        str(comparison),
        f"a: {comparison.name_a}: {comparison.threshold_a}",
        f"b: {comparison.name_b}: {comparison.threshold_b}",
        f"grid: {comparison.grid}",
        comparison.resampled,
        f"agreement.nii.gz: {_AGREEMENT}",
    ]
    if comparison.conjunction is not None:
        lines.append(f"conjunction.nii.gz: z, {comparison.conjunction.tail}")
    else:
        lines.append(f"no conjunction: {comparison.no_conjunction}")
    if comparison.difference is None:
        lines.append(f"no difference: {comparison.no_difference}")
    lines += [*comparison.notices, *_origin([comparison.a, comparison.b])]
    return [line for line in lines if line]


def _write_many(matrix: Any, folder: str) -> list[str]:
    """Write the matrices of many maps; return the names of the files."""
    lines = [str(matrix), f"grid: {matrix.grid}", matrix.resampled]
    for name, clusters in zip(matrix.names, matrix.clusters, strict=True):
        lines.append(f"{name}: {clusters}")
    lines = [line for line in (*lines, *matrix.notices) if line]
    tables = {"comparison.tsv": matrix.table}
    for measure in _MEASURES:
        tables[f"{measure}.tsv"] = getattr(matrix, measure).reset_index(names="map")
    lines += _origin(matrix.clusters)
    details = _details(matrix.clusters)
    return [
        written
        for name, table in tables.items()
        for written in _write_table(folder, name, table, lines, details)
    ]


def _origin(clusters: Sequence[ClusterSet]) -> list[str]:
    """Say for people where the maps come from, and what compared them."""
    sources = dict.fromkeys(source_of(one.statmap.results) for one in clusters)
    return [
        *(f"source: {source}" for source in sources),
        f"made by {name_and_version()}",
    ]


def _details(clusters: Sequence[ClusterSet]) -> Details:
    """Say for programs what was compared."""
    return {"Maps": list(map(provenance_details, clusters)), **software()}


def _write_table(
    folder: str, name: str, table: pd.DataFrame, lines: Sequence[str], details: Details
) -> list[str]:
    """Write a table and its description; return the names of both."""
    beside = os.path.splitext(name)[0] + ".json"
    write_delimited(os.path.join(folder, name), table, lines)
    described = sidecar(name, table, details | {"Notes": list(map(plain_text, lines))})
    write_json(os.path.join(folder, beside), described)
    return [name, beside]
