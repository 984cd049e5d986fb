"""The plugin's preferences, as napari keeps them, with their defaults."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

from napari_neurosynth_results.sources.nifti import DEFAULT_LIMIT

PLUGIN = "napari-neurosynth-results"
Orientation = Literal["neurological", "radiological", "leave alone"]


@dataclass(frozen=True)
class Settings:
    """What the user chose under Preferences > Neurosynth results.

    Attributes
    ----------
    orientation : str
        Right on the right (neurological), right on the left (radiological), or napari's
        camera left alone.
    underlay : bool
        Whether the MNI template is put below the first source.
    max_bytes : int
        Reading limit for one file.
    """

    orientation: Orientation = "neurological"
    underlay: bool = True
    max_bytes: int = DEFAULT_LIMIT


def read_settings() -> Settings:
    """Return the user's preferences; the defaults where napari does not run."""
    if "napari" not in sys.modules:
        return Settings()
    from napari.settings import get_plugin_settings

    try:
        chosen = get_plugin_settings(PLUGIN)
    except KeyError:
        # The reader was called without the plugin being registered.
        return Settings()
    orientation = chosen.view.orientation
    return Settings(
        orientation=getattr(orientation, "value", orientation),
        underlay=chosen.view.underlay,
        max_bytes=int(chosen.reading.limit_mib) * 2**20,
    )
