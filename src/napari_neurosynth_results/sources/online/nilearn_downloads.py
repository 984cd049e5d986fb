"""nilearn's downloads from NeuroVault, and folders that `fetch` wrote -> `ResultSet`.

The file names there are nilearn's own: what a map is stands in the JSON beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.entry import MapFile
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.names import parse_name, split_extension
from napari_neurosynth_results.maps.programs import Reading
from napari_neurosynth_results.maps.results import About, ResultSet
from napari_neurosynth_results.sources.files.folder import (
    list_tables,
    make_map_file,
    read_texts,
)
from napari_neurosynth_results.sources.files.images import open_image
from napari_neurosynth_results.sources.files.volumes import VolumeFile
from napari_neurosynth_results.sources.online.neurovault_records import (
    record_text,
    settle_filenames,
)
from napari_neurosynth_results.sources.placeholders import load_json, read_at_most

_COLLECTION = "collection_metadata.json"
_IMAGE = "_metadata.json"
_MOST_JSON = 1 << 20
_MOST_COLLECTIONS = 200
_MOST_IMAGES = 5000
_LONG_TEXT = 20_000


def is_nilearn_folder(path: str) -> bool:
    """Tell whether a folder is a collection of nilearn's, or holds some."""
    return bool(_collections(path))


def open_nilearn(path: str, max_bytes: int) -> ResultSet:
    """Open what nilearn downloaded from NeuroVault.

    Parameters
    ----------
    path : str
        The folder of one collection, the ``neurovault`` folder above, or
        ``nilearn_data`` above that.
    max_bytes : int
        Refuse files that would need more memory than this.

    Returns
    -------
    ResultSet
        Named by what NeuroVault said of each image. Maps of several collections are
        told apart in their keys, as in ``collection-1425_id-32015_z``.

    Raises
    ------
    ResultsError
        When no image can be opened.
    """
    folders = _collections(path)
    problems: list[str] = []
    files: dict[str, MapFile] = {}
    for folder in folders:
        found = sorted(_records(folder, problems), key=lambda row: _number(row[1]))
        told = [(_filename(record), record_text(record, "name")) for _, record in found]
        names = settle_filenames(told)
        for (image, record), name in zip(found, names, strict=True):
            where = ""
            if len(folders) > 1:
                number, of = record.get("id"), record.get("collection_id")
                where = f"collection-{of}_id-{number}_"
            try:
                volumes = open_image(image, max_bytes)
            except ResultsError as error:
                problems.append(str(error))
                continue
            for volume in volumes:
                file = _map_file(volume, record, name, where, files)
                files[file.key] = file
                problems += file.notices
    if not files:
        reasons = "\n".join(problems)
        raise ResultsError(f"{path} holds no map that can be opened. {reasons}".strip())
    first = _json(os.path.join(folders[0], _COLLECTION)) or {}
    alone = len(folders) == 1
    methods, references = read_texts(folders[0], problems) if alone else ("", "")
    return ResultSet(
        list(files.values()),
        title=(record_text(first, "name") if alone else "") or os.path.basename(path),
        source=path,
        problems=list(dict.fromkeys(problems)),
        about=_about(first) if alone else About(),
        tables=list_tables(folders[0]) if alone else {},
        methods=methods,
        references=references,
    )


def _collections(path: str) -> list[str]:
    """Find the folders of collections at, in or two levels below a folder."""
    if os.path.isfile(os.path.join(path, _COLLECTION)):
        return [path]
    below = path
    if os.path.isdir(os.path.join(path, "neurovault")):
        below = os.path.join(path, "neurovault")
    try:
        names = sorted(os.listdir(below))
    except OSError:
        return []
    found = [os.path.join(below, n) for n in names if n.startswith("collection_")]
    found = [f for f in found if os.path.isfile(os.path.join(f, _COLLECTION))]
    return found[:_MOST_COLLECTIONS]


def _records(
    folder: str, problems: list[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Pair images with their records; say which of either stands alone."""
    names = set(os.listdir(folder))
    used = set()
    documents = sorted(n for n in names if n.endswith(_IMAGE) and n != _COLLECTION)
    for name in documents[:_MOST_IMAGES]:
        if not name.startswith("image_"):
            continue
        record = _json(os.path.join(folder, name))
        if record is None:
            problems.append(
                f"{os.path.join(folder, name)} is not the record of an image."
            )
            continue
        stem = name.removesuffix(_IMAGE)
        # Only names in this folder: paths in the record are another machine's.
        candidates = (_filename(record), f"{stem}.nii.gz", f"{stem}_resampled.nii.gz")
        image = next((c for c in candidates if c in names), None)
        if image is None:
            problems.append(f"{folder}: the file of {stem} was not downloaded.")
            continue
        if image.endswith("_resampled.nii.gz"):
            problems.append(f"{image}: nilearn resampled it to a grid of 3 mm.")
        used.add(image)
        yield os.path.join(folder, image), record
    for name in sorted(names - used):
        lone = name.startswith("image_") and name.endswith(".nii.gz")
        if lone and not name.endswith("_resampled.nii.gz"):
            problems.append(f"{os.path.join(folder, name)} has no record beside it.")


def _map_file(
    volume: VolumeFile,
    record: Mapping[str, Any],
    filename: str,
    where: str,
    taken: Mapping[str, MapFile],
) -> MapFile:
    name = record_text(record, "name")
    known = parse_name(filename, from_server=True)
    if known is None and parse_name(name, from_server=True) is not None:
        filename = name
    stem = split_extension(filename or os.path.basename(volume.path))[0]
    filename, stem = where + filename, where + stem
    if stem in taken:
        stem = f"{stem} ({record.get('id')})"
    return make_map_file(
        volume,
        taken=taken,
        key=stem,
        filename=filename,
        map_type=record_text(record, "map_type"),
        label=name,
        from_server=True,
        reading=Reading(MapKind.LABEL, known)
        if record.get("image_type") == "atlas"
        else None,
    )


def _number(record: Mapping[str, Any]) -> int:
    """Return the number of an image; 0 where the record has none."""
    number = record.get("id")
    return number if isinstance(number, int) else 0


def _filename(record: Mapping[str, Any]) -> str:
    try:
        path = urlsplit(record_text(record, "file", longest=2000)).path
    except ValueError:
        return ""
    return os.path.basename(unquote(path))


def _json(path: str) -> Mapping[str, Any] | None:
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > _MOST_JSON:
            return None
        with open(path, "rb") as file:
            value = load_json(read_at_most(file, _MOST_JSON))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, Mapping) else None


def _about(record: Mapping[str, Any]) -> About:
    return About(
        authors=record_text(record, "authors", longest=2000),
        doi=record_text(record, "DOI"),
        description=record_text(record, "description", longest=_LONG_TEXT),
    )
