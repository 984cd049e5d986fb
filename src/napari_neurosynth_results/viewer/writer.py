"""napari's File > Save: layers to NIfTI files, or to a folder as NiMARE names it.

napari does not tell a writer whether the user has agreed to replace a file, and scripts
are not asked at all: what exists is never replaced.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import write_folder, write_whole
from napari_neurosynth_results.export.tables.write import write_json
from napari_neurosynth_results.export.volumes import VOLUMES, write_volume
from napari_neurosynth_results.maps.names import split_extension
from napari_neurosynth_results.viewer.layer_names import file_names
from napari_neurosynth_results.viewer.saved_layers import (
    SavedLayer,
    saved_image,
    saved_labels,
)

_SAVED = {"image": saved_image, "labels": saved_labels}


def write_image(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write an image layer to a NIfTI file.

    Parameters
    ----------
    path : str
        ``.nii`` or ``.nii.gz``; the latter is added where neither stands.
    data : array_like
        The data of the layer.
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
    data : array_like
        The data of the layer.
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
    saved = [_SAVED[kind](data, meta) for data, meta, kind in layers]
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
