"""napari's File > Save: layers to NIfTI files, or to a folder as NiMARE names it.

napari does not tell a writer whether the user has agreed to replace a file, and scripts
are not asked at all: what exists is never replaced.

In a folder NiMARE's own file names survive, and others are made safe. What is no map of
NiMARE's must not be taken for one when it is opened again: a layer that somebody called
"z" holds any numbers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import write_folder, write_whole
from napari_neurosynth_results.export.tables.write import write_json
from napari_neurosynth_results.export.volumes import VOLUMES, write_volume
from napari_neurosynth_results.maps.names import MapName, parse_name, split_extension
from napari_neurosynth_results.maps.statmap import MapSet, StatMap
from napari_neurosynth_results.sources.files.safe_names import safe_name
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.viewer.clusters.cluster_layers import goes_with_others
from napari_neurosynth_results.viewer.plugin.layer_to_file import (
    SavedLayer,
    saved_image,
    saved_labels,
)

_EXTENSION = ".nii.gz"
#: What keeps runs apart stands before the value: no other sign means anything there.
_NOT_IN_PREFIX = re.compile(r"[^A-Za-z0-9]+")
_LONGEST_PREFIX = 40
#: What takes from a layer what is written, by the kind of layer.
_SAVED = {"image": saved_image, "labels": saved_labels}


def file_names(layers: Sequence[SavedLayer]) -> list[str]:
    """Name the files of layers that go to one folder.

    Returns
    -------
    list of str
        No two alike, also where capitals make no difference. Maps of several results
        are told apart by a prefix, which NiMARE has for that.
    """
    prefixes = _prefixes(layers)
    taken: set[str] = set()
    names = []
    for layer in layers:
        stem = _stem(layer, prefixes)
        name, number = f"{stem}{_EXTENSION}", 2
        while name.lower() in taken:
            name, number = f"{stem}_{number}{_EXTENSION}", number + 1
        taken.add(name.lower())
        names.append(name)
    return names


def _prefixes(layers: Sequence[SavedLayer]) -> dict[MapSet, str]:
    """Tell results apart, when there are several."""
    sets = dict.fromkeys(found for layer in layers if (found := _set_of(layer)))
    if len(sets) < 2:
        return {}
    prefixes: dict[MapSet, str] = {}
    for results in sets:
        short = _NOT_IN_PREFIX.sub("-", results.title)[:_LONGEST_PREFIX].strip("-")
        prefix, number = short or "result", 2
        while prefix.lower() in {used.lower() for used in prefixes.values()}:
            prefix, number = f"{short or 'result'}-{number}", number + 1
        prefixes[results] = prefix
    return prefixes


def _set_of(layer: SavedLayer) -> MapSet | None:
    statmap = _map_of(layer)
    return statmap.results if statmap is not None and statmap.name else None


def _map_of(layer: SavedLayer) -> StatMap | None:
    shown = layer.shown
    return shown.statmap if isinstance(shown, ClusterSet) else shown


def _stem(layer: SavedLayer, prefixes: dict[MapSet, str]) -> str:
    statmap = _map_of(layer)
    name = statmap.name if statmap is not None and not layer.edited else None
    if statmap is None or name is None:
        return _of_others(layer.name)
    if isinstance(layer.shown, ClusterSet):
        name = replace(name, value="label")
    if prefix := prefixes.get(statmap.results):
        name = _with_prefix(name, prefix)
    return _fitting(replace(name, extension="").stem)


def _with_prefix(name: MapName, prefix: str) -> MapName:
    """Put the prefix of a result before that of a run."""
    joined = f"{prefix}_{name.prefix}" if name.prefix else prefix
    return replace(name, prefix=joined, download="")


def _fitting(stem: str) -> str:
    """Return a stem that any file system takes."""
    return split_extension(safe_name(f"{stem}{_EXTENSION}"))[0]


def _of_others(name: str) -> str:
    """Name a file after a layer, so that nobody reads a kind off it."""
    stem = _fitting(name)
    # Later names get a number: with that, too, it must not be NiMARE's.
    if parse_name(stem) is None and parse_name(f"{stem}_2") is None:
        return stem
    stem = stem.replace("_", "-")
    return stem if parse_name(stem) is None else f"layer-{stem}"


def write_image(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write an image layer to a NIfTI file.

    Parameters
    ----------
    path : str
        ``.nii`` or ``.nii.gz``; the latter is added where neither stands.
    meta : mapping
        Its attributes.

    Returns
    -------
    list of str
        The file.

    Raises
    ------
    ResultsError
        When the layer is no volume, the file exists or cannot be written.
    """
    return _write_one(path, saved_image(data, meta))


def write_labels(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write a labels layer to a NIfTI file.

    Parameters
    ----------
    path : str
        ``.nii`` or ``.nii.gz``; the latter is added where neither stands.
    meta : mapping
        Its attributes.

    Returns
    -------
    list of str
        The file.

    Raises
    ------
    ResultsError
        When the layer is no volume, the file exists or cannot be written.
    """
    return _write_one(path, saved_labels(data, meta))


def write_layers(
    path: str, layers: Sequence[tuple[Any, Mapping[str, Any], str]]
) -> list[str]:
    """Write image and labels layers to a new folder, each with a JSON beside it.

    Parameters
    ----------
    path : str
        A name that is not taken.
    layers : sequence of tuple
        napari layer data tuples.

    Returns
    -------
    list of str
        The files.

    Raises
    ------
    ResultsError
        When a layer is no volume, the folder exists or cannot be written.
    """
    target = os.fspath(path)
    if target.lower().endswith(VOLUMES):
        raise ResultsError(
            f"{target} is the name of one file, and {len(layers)} layers go to a "
            "folder. Choose a name without an extension."
        )
    # What follows from other layers is no result of its own.
    own = [one for one in layers if not goes_with_others(one[1]["metadata"])]
    saved = [_SAVED[kind](data, meta) for data, meta, kind in own or layers]
    names = file_names(saved)
    written: list[str] = []

    def write(folder: str) -> None:
        for layer, name in zip(saved, names, strict=True):
            beside = f"{split_extension(name)[0]}.json"
            _write(layer, os.path.join(folder, name))
            write_json(os.path.join(folder, beside), layer.details(name))
            written.extend([name, beside])

    write_folder(target, write)
    return [os.path.join(target, name) for name in written]


def _write_one(path: str, layer: SavedLayer) -> list[str]:
    target = os.fspath(path)
    if not target.lower().endswith(VOLUMES):
        target += VOLUMES[0]
    write_whole(target, lambda partial: _write(layer, partial), overwrite=False)
    return [target]


def _write(layer: SavedLayer, path: str) -> None:
    write_volume(path, layer.voxels, layer.affine, layer.meaning, layer.code)
