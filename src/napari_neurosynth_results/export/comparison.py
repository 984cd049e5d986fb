"""A comparison on disk: a new folder of tables and volumes that say what they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.export.tables import without_formulas
from napari_neurosynth_results.export.writing import write_folder
from napari_neurosynth_results.maps.statmap import Grid, StatMap
from napari_neurosynth_results.statistics.comparison import Comparison
from napari_neurosynth_results.statistics.matrix import Matrix

if TYPE_CHECKING:
    import pandas as pd

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
        maps and thresholds.
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
    write = _write_many if isinstance(comparison, Matrix) else _write_two
    names: list[str] = []
    write_folder(target, lambda partial: names.extend(write(comparison, partial)))
    return [os.path.join(target, name) for name in names]


def _write_two(comparison: Any, folder: str) -> list[str]:
    """Write what is known of two maps; return the names of the files."""
    tables = {
        "comparison.tsv": comparison.table,
        "clusters.tsv": comparison.clusters,
    }
    for name, table in tables.items():
        _write_tsv(os.path.join(folder, name), table, _lines(comparison))
    names = ["agreement.nii.gz"]
    _write_volume(
        os.path.join(folder, names[0]),
        comparison.agreement,
        comparison.grid,
        (_LABEL, "agreement", _AGREEMENT),
    )
    volumes: list[tuple[str, StatMap, int]] = []
    if (conjunction := comparison.conjunction) is not None:
        logp = conjunction.results.siblings(conjunction)["logp"]
        volumes.append(("conjunction", conjunction, _Z_SCORE))
        volumes.append(("conjunction_logp", logp, _LOG10_P))
    if (difference := comparison.difference) is not None:
        volumes.append(("difference", difference, _NO_INTENT))
    for stem, statmap, intent in volumes:
        told = f"{statmap.title}, {statmap.tail}" if intent else "a minus b"
        names.append(f"{stem}.nii.gz")
        path = os.path.join(folder, names[-1])
        _write_volume(path, statmap.data, statmap.grid, (intent, stem[:15], told))
    return [*tables, *names]


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
    return [line for line in (*lines, *comparison.notices) if line]


def _write_many(matrix: Any, folder: str) -> list[str]:
    """Write the matrices of many maps; return the names of the files."""
    lines = [str(matrix), f"grid: {matrix.grid}", matrix.resampled]
    for name, clusters in zip(matrix.names, matrix.clusters, strict=True):
        lines.append(f"{name}: {clusters}")
    lines = [line for line in (*lines, *matrix.notices) if line]
    tables = {"comparison.tsv": matrix.table}
    for measure in _MEASURES:
        tables[f"{measure}.tsv"] = getattr(matrix, measure).reset_index(names="map")
    for name, table in tables.items():
        _write_tsv(os.path.join(folder, name), table, lines)
    return list(tables)


def _write_tsv(path: str, table: pd.DataFrame, lines: Sequence[str]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.writelines(f"# {' '.join(line.split())}\n" for line in lines)
        without_formulas(table).to_csv(file, sep="\t", index=False, lineterminator="\n")


def _write_volume(
    path: str,
    voxels: npt.NDArray[Any],
    grid: Grid,
    meaning: tuple[int, str, str],
) -> None:
    """Write a volume with its intent, the name of that and a description."""
    import nibabel as nib

    intent, name, description = meaning
    image = nib.Nifti1Image(np.asarray(voxels), grid.affine)
    image.header.set_xyzt_units("mm")
    image.header.set_intent(intent, name=name)
    image.header["descrip"] = description.encode("ascii", "replace")[:79]
    # 4: MNI space; 2: aligned to something.
    code = 2 if grid.mni_doubt() else 4
    image.set_sform(grid.affine, code)
    image.set_qform(grid.affine, code)
    nib.save(image, path)
