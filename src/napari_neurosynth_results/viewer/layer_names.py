"""File names for layers that are saved together: NiMARE's survive, others are safe.

What is no map of NiMARE's must not be taken for one when it is opened again: a layer
that somebody called "z" holds any numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from napari_neurosynth_results.maps.names import MapName, parse_name, split_extension
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sources.files.safe_names import safe_name
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.viewer.saved_layers import SavedLayer

_EXTENSION = ".nii.gz"
#: What keeps runs apart stands before the value: no other sign means anything there.
_NOT_IN_PREFIX = re.compile(r"[^A-Za-z0-9]+")
_LONGEST_PREFIX = 40


def file_names(layers: Sequence[SavedLayer]) -> list[str]:
    """Name the files of layers that go to one folder.

    Parameters
    ----------
    layers : sequence of SavedLayer
        The layers.

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


def _prefixes(layers: Sequence[SavedLayer]) -> dict[ResultSet, str]:
    """Tell results apart, when there are several."""
    sets = dict.fromkeys(found for layer in layers if (found := _set_of(layer)))
    if len(sets) < 2:
        return {}
    prefixes: dict[ResultSet, str] = {}
    for results in sets:
        short = _NOT_IN_PREFIX.sub("-", results.title)[:_LONGEST_PREFIX].strip("-")
        prefix, number = short or "result", 2
        while prefix.lower() in {used.lower() for used in prefixes.values()}:
            prefix, number = f"{short or 'result'}-{number}", number + 1
        prefixes[results] = prefix
    return prefixes


def _set_of(layer: SavedLayer) -> ResultSet | None:
    statmap = _map_of(layer)
    return statmap.results if statmap is not None and statmap.name else None


def _map_of(layer: SavedLayer) -> StatMap | None:
    shown = layer.shown
    return shown.statmap if isinstance(shown, ClusterSet) else shown


def _stem(layer: SavedLayer, prefixes: dict[ResultSet, str]) -> str:
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
