"""Which atlas names the places of a viewer.

A layer of labels that was chosen in a viewer comes first: it carries its atlas in its
metadata, so that the choice goes when the layer goes. Then come the preferences.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.anatomy.atlas import (
    DEFAULT_ATLAS,
    Atlas,
    read_default_atlas,
)
from napari_neurosynth_results.anatomy.region_names import tidy_name
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError
from napari_neurosynth_results.viewer.clusters.cluster_layers import clusters_of
from napari_neurosynth_results.viewer.layers import grid_of, map_of
from napari_neurosynth_results.viewer.progress_bar import wait_for
from napari_neurosynth_results.viewer.settings import (
    preferred_atlas,
    read_settings,
    stored_preferences,
)

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_neurosynth_results.export.workspace.contents import Naming

#: The metadata of the layer that was chosen as the atlas of its viewer holds it.
ATLAS_KEY = "neurosynth_results_atlas"
#: What stands for no names at all.
NONE = "none"

_NAMES = ("name", "region", "label_name", "label")
_NUMBERS = ("index", "label_id", "id", "value", "label")


def chosen_atlas(viewer: Viewer | None = None) -> Atlas | None:
    """Return the atlas that names clusters and places; None when none is wanted.

    Parameters
    ----------
    viewer : Viewer, optional
        The viewer; the one in front when not given.

    Returns
    -------
    Atlas or None
        The packaged one, with a warning, where the chosen one cannot be read. Nothing
        is ever downloaded.
    """
    if viewer is None and (napari := sys.modules.get("napari")):
        viewer = napari.current_viewer()
    for layer in viewer.layers if viewer is not None else ():
        if isinstance(found := layer.metadata.get(ATLAS_KEY), Atlas):
            return found
    return _preferred(*preferred_atlas())


def choose_atlas(viewer: Viewer, what: Any, names: str = "") -> Atlas | None:
    """Choose what names clusters and places.

    Parameters
    ----------
    what : Labels or str
        A layer of labels, for as long as it is in the viewer; or what can be entered in
        the preferences (``default``, ``none``, a known name, a path), which is kept
        there.
    names : str
        The file that names the labels of a path, kept with it.

    Returns
    -------
    Atlas or None
        The atlas; None for none.

    Raises
    ------
    ResultsError
        When it cannot be used; the choice then stays as it was.
    """
    if isinstance(what, str):
        atlas = None if _is_none(what) else _find(what, names)
        _forget(viewer)
        _prefer(what, names)
        return atlas
    atlas = atlas_of_layer(what)
    if atlas is None:
        raise ResultsError(
            f"{what.name} names no regions. Choose a layer of labels with a column of "
            "names among its features, or give the file of the atlas."
        )
    _forget(viewer)
    what.metadata[ATLAS_KEY] = atlas
    return atlas


def fetch_atlas(name: str) -> Atlas:
    """Return an atlas that is known by name, downloading it while the window lives.

    Parameters
    ----------
    name : str
        As in the preferences.

    Returns
    -------
    Atlas
        The atlas; from now on it is at hand.

    Raises
    ------
    CancelledError
        When the user cancelled.
    ResultsError
        When it cannot be downloaded, also because of working offline.
    """
    from napari_neurosynth_results.sources.atlases.find import find_atlas

    offline = read_settings().online.offline
    atlas = wait_for(
        lambda job: find_atlas(name, fetch=True, offline=offline, job=job),
        f"Downloading {name}",
    )
    # What was missing before may be there now.
    _preferred.cache_clear()
    return atlas


def atlas_of_layer(layer: Any) -> Atlas | None:
    """Make an atlas of a layer of labels.

    Parameters
    ----------
    layer : Labels
        An atlas that this plugin opened, or any layer with a column of names among its
        features, called name, region or label.

    Returns
    -------
    Atlas or None
        None when the layer is no labels or has no names, or when it shows clusters.

    Raises
    ------
    ResultsError
        When it does not lie along the axes of the viewer, or not in MNI space.
    """
    if not hasattr(layer, "selected_label") or clusters_of(layer) is not None:
        return None
    statmap = map_of(layer)
    if statmap is not None and statmap.kind.row.holds_labels:
        raw: Mapping[int, str] = statmap.file.label_names
        names = {label: tidy_name(name) for label, name in raw.items()}
    else:
        names = _names_in(layer.features)
    if not names:
        return None
    grid = grid_of(layer)
    if doubt := grid.mni_doubt():
        raise ResultsError(
            f"{layer.name} is not in MNI space: {doubt}. Scale and translate it to "
            "millimeters, or choose another atlas."
        )
    # A view, so that what is painted counts at once.
    labels = np.asarray(layer.data).T
    if labels.dtype == bool:
        labels = labels.view(np.uint8)
    return Atlas(layer.name, labels, grid, names, citation=f"the layer {layer.name}")


def _names_in(features: Any) -> dict[int, str]:
    """Read names by label from a layer's features: row i is label i without numbers."""
    columns = {str(column).strip().lower(): column for column in features.columns}
    named = [columns[word] for word in _NAMES if word in columns]
    texts = next((c for c in named if _is_text(features[c])), None)
    if texts is None:
        return {}
    counted = (columns[word] for word in _NUMBERS if word in columns)
    numbered = next((c for c in counted if not _is_text(features[c])), None)
    numbers = range(len(features)) if numbered is None else features[numbered]
    names = {}
    for number, text in zip(numbers, features[texts], strict=True):
        try:
            label = int(number)
        except (TypeError, ValueError, OverflowError):
            continue
        if label > 0 and isinstance(text, str) and (name := tidy_name(text)):
            names[label] = name
    return names


def _is_text(column: Any) -> bool:
    return any(isinstance(value, str) and value for value in column)


def _is_none(text: str) -> bool:
    return text.strip().lower() == NONE


def _forget(viewer: Viewer) -> None:
    for layer in viewer.layers:
        layer.metadata.pop(ATLAS_KEY, None)


def _prefer(what: str, names: str) -> None:
    """Keep a choice for the next session, where napari keeps preferences."""
    _preferred.cache_clear()
    if (stored := stored_preferences()) is None:
        raise ResultsError(
            "The choice of an atlas cannot be kept: this plugin is not registered with "
            "napari. Install it, or enable it under Plugins."
        )
    stored.anatomy.atlas = what
    stored.anatomy.atlas_names = names


# Asked at every move of the mouse; and what is wrong is told once.
@lru_cache(maxsize=1)
def _preferred(what: str, names: str) -> Atlas | None:
    if _is_none(what):
        return None
    if what.lower() == DEFAULT_ATLAS:
        return read_default_atlas()
    try:
        return _find(what, names)
    except Exception as error:  # a preference must never break what it is used for
        _warn(f"The atlas of the preferences is not used. {error}")
        return read_default_atlas()


def _find(what: str, names: str) -> Atlas:
    # Most viewers name places by the packaged atlas, which needs none of this.
    from napari_neurosynth_results.sources.atlases.find import find_atlas

    return find_atlas(what, names or None)


def _warn(text: str) -> None:
    from napari_neurosynth_results.viewer.progress_bar import show_warning

    show_warning(f"{text}\nRegions are named by {read_default_atlas().name}.")


# How the atlas of a viewer is written down, so that it can be opened again.


def describe_atlas(viewer: Viewer, atlas: Atlas | None) -> Naming:
    """Say what an atlas is, so that it can be opened again.

    Parameters
    ----------
    viewer : Viewer
        Where it was chosen.
    atlas : Atlas or None
        None names nothing.

    Returns
    -------
    Naming
        With `Naming.layer` for an atlas that no file or name stands for.

    Raises
    ------
    CancelledError
        When the user cancelled, or closed the window.
    """
    from napari_neurosynth_results.export.workspace.contents import Naming
    from napari_neurosynth_results.sources.atlases.catalog import KNOWN_ATLASES

    if atlas is None:
        return Naming(None)
    if atlas is read_default_atlas():
        return Naming()
    what, names = preferred_atlas()
    if what.lower() != "none" and _opens(what, names, atlas):
        return Naming(_full(what), os.path.abspath(names) if names else "")
    for key, known in KNOWN_ATLASES.items():
        if known.title == atlas.name and _opens(key, "", atlas):
            return Naming(key)
    for layer in viewer.layers:
        if layer.metadata.get(ATLAS_KEY) is atlas:
            statmap = map_of(layer)
            path = statmap.path if statmap is not None else ""
            if path and _opens(path, "", atlas):
                return Naming(os.path.abspath(path))
    return Naming(None, layer=atlas.name)


def _full(what: str) -> str:
    """Make a path whole; what is known by name is no path."""
    from napari_neurosynth_results.sources.atlases.catalog import KNOWN_ATLASES

    if what.lower() == DEFAULT_ATLAS or what in KNOWN_ATLASES:
        return what
    path = os.path.expanduser(what)
    return os.path.abspath(path) if os.path.isfile(path) else what


def _opens(what: str, names: str, atlas: Atlas) -> bool:
    """Whether something opens this atlas, or one with the same regions."""
    try:
        # One that was not read in this session takes a second.
        found = wait_for(lambda job: _find(what, names), "Reading atlas")
    except CancelledError:
        # Nobody knows; to say that it does not open would be kept for good.
        raise
    except ResultsError:
        return False
    return found is atlas or (
        found.grid.same_as(atlas.grid)
        and dict(found.names) == dict(atlas.names)
        and np.array_equal(found.labels, atlas.labels)
    )
