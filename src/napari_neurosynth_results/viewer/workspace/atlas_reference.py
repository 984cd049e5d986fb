"""Which atlas it was that named clusters: by what can be said to open it again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from napari_neurosynth_results.anatomy.atlas import Atlas, read_default_atlas
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.workspace.contents import Naming
from napari_neurosynth_results.sources.atlases.catalog import KNOWN_ATLASES
from napari_neurosynth_results.sources.atlases.find import DEFAULT_ATLAS, find_atlas
from napari_neurosynth_results.viewer.clusters.atlas_choice import ATLAS_KEY
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.settings import preferred_atlas

if TYPE_CHECKING:
    from napari.viewer import Viewer


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
    """
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
    if what.lower() == DEFAULT_ATLAS or what in KNOWN_ATLASES:
        return what
    path = os.path.expanduser(what)
    return os.path.abspath(path) if os.path.isfile(path) else what


def _opens(what: str, names: str, atlas: Atlas) -> bool:
    """Whether something opens this atlas, or one with the same regions."""
    try:
        found = find_atlas(what, names or None)
    except ResultsError:
        return False
    return found is atlas or (
        found.grid.same_as(atlas.grid)
        and dict(found.names) == dict(atlas.names)
        and np.array_equal(found.labels, atlas.labels)
    )
