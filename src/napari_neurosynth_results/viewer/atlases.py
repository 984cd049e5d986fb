"""Which atlas names the places of a viewer."""

from __future__ import annotations

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.anatomy.default_atlas import read_default_atlas


def chosen_atlas() -> Atlas | None:
    """Return the atlas that names clusters and places; None when none is wanted."""
    return read_default_atlas()
