"""A result that came from a server -> a folder that opens without one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import (
    already_exists,
    checked_name,
    open_for_text,
    put_text,
    write_folder,
)
from napari_neurosynth_results.export.escaping import without_formulas
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.names import split_extension
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sources.online.remote_map import RemoteMap

if TYPE_CHECKING:
    import pandas as pd


def save_downloaded(results: ResultSet, folder: str, job: Job) -> list[str]:
    """Download a whole result to a folder of its own.

    Parameters
    ----------
    results : ResultSet
        What was opened by its link.
    folder : str
        A folder that does not exist yet, or is empty.
    job : Job
        Hears how far it is.

    Returns
    -------
    list of str
        Names of the files written.

    Raises
    ------
    ResultsError
        When the folder holds something, cannot be written, or no map could be had.
    CancelledError
        When the job was cancelled; then there is no folder.
    """
    target = Path(checked_name(folder))
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise already_exists(folder)
    if not any(isinstance(m.file, RemoteMap) for m in results.maps.values()):
        raise ResultsError(f"{results.source} is on this machine already: copy it.")
    results.fetch(results.maps.values(), job)
    if not any(statmap.at_hand for statmap in results.maps.values()):
        raise ResultsError("\n".join(results.problems))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(f"{folder} cannot be written: {error.strerror}.") from error
    written: list[str] = []
    write_folder(
        folder,
        lambda partial: written.extend(_write(results, Path(partial))),
        over_empty=True,
    )
    return written


def _write(results: ResultSet, folder: Path) -> list[str]:
    for statmap in results.maps.values():
        file = statmap.file
        if isinstance(file, RemoteMap) and file.at_hand:
            record = file.image.public()
            name = record["file"]
            if (folder / name).exists():
                name = record["file"] = f"{file.image.id}_{name}"
            shutil.copyfile(file.local_path, folder / name)
            if file.label_names:
                # Where the names of an atlas are looked for.
                names = [f"{n}\t{text}" for n, text in file.label_names.items()]
                text = "\n".join(["index\tname", *names])
                stem = split_extension(name)[0]
                put_text(str(folder / f"{stem}.tsv"), text + "\n")
            _json(folder / f"image_{file.image.id}_metadata.json", record)
    about = results.about
    collection = {
        "name": results.title,
        "DOI": about.doi or None,
        "authors": about.authors or None,
        "description": about.description or None,
        "source": results.source,
        "links": {link.text: link.url for link in about.links},
        "specification": about.specification,
        "problems": list(results.problems),
    }
    _json(folder / "collection_metadata.json", collection)
    if results.methods:
        put_text(str(folder / "boilerplate.txt"), results.methods + "\n")
    for stem in results.tables:
        with _left_out(results):
            _tsv(folder / f"{stem}.tsv", results.tables[stem])
    with _left_out(results):
        if results.studies is not None:
            _tsv(folder / "foci.tsv", results.studies.foci)
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def _left_out(results: ResultSet) -> Iterator[None]:
    """Go on without what cannot be had: the maps are here, and are worth keeping."""
    try:
        yield
    except CancelledError:
        raise
    except ResultsError as error:
        results.report(f"It was saved without this: {error}")


def _tsv(path: Path, table: pd.DataFrame) -> None:
    with open_for_text(str(path)) as file:
        without_formulas(table).to_csv(file, sep="\t", index=False, lineterminator="\n")


def _json(path: Path, value: Any) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    put_text(str(path), text + "\n")
