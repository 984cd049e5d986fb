"""The plugin's preferences, as napari keeps them, with their defaults; its commands."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from napari_neurosynth_results.sources.files.images import DEFAULT_LIMIT
from napari_neurosynth_results.sources.web.servers import Servers, folder_of, parse_site
from napari_neurosynth_results.viewer.napari_private import plugins_known

PLUGIN = "napari-neurosynth-results"
#: What the dock with three planes is called.
ORTHO = "Ortho view"
Orientation = Literal["neurological", "radiological", "leave alone"]
FirstMaps = Literal["one map", "one of each test", "all, up to twelve"]


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
    panel : bool
        Whether the panel opens by itself with the first result.
    first_maps : str
        Which maps of a result get a layer when it is opened.
    max_bytes : int
        Reading limit for one file.
    online : Servers
        Servers and cache; environment variables win over preferences.
    """

    orientation: Orientation = "neurological"
    underlay: bool = True
    panel: bool = True
    first_maps: FirstMaps = "one map"
    max_bytes: int = DEFAULT_LIMIT
    online: Servers = field(default_factory=Servers.from_environment)


def stored_preferences() -> Any:
    """Return napari's store of the user's preferences, which can be written to.

    Returns
    -------
    object or None
        An attribute for each group of `napari.yaml`. None where napari does not run, or
        the plugin is not registered with it.
    """
    if "napari" not in sys.modules:
        return None
    from napari.settings import get_plugin_settings

    try:
        with plugins_known(PLUGIN):
            return get_plugin_settings(PLUGIN)
    except KeyError:
        return None


def read_settings() -> Settings:
    """Return the user's preferences; the defaults where napari does not run."""
    if (chosen := stored_preferences()) is None:
        return Settings()
    orientation, first_maps = chosen.view.orientation, chosen.view.first_maps
    return Settings(
        orientation=getattr(orientation, "value", orientation),
        underlay=chosen.view.underlay,
        panel=bool(chosen.view.panel),
        first_maps=getattr(first_maps, "value", first_maps),
        max_bytes=int(chosen.reading.limit_mib) * 2**20,
        online=_online(chosen.servers),
    )


def preferred_atlas() -> tuple[str, str]:
    """Return what names clusters and places; apart, because it is asked often.

    Returns
    -------
    atlas : str
        ``default``, ``none``, a known name, or the path of a label image.
    names : str
        The file with the names of that image; empty to look for it.
    """
    if (stored := stored_preferences()) is None:
        return "default", ""
    chosen = stored.anatomy
    return chosen.atlas.strip() or "default", chosen.atlas_names.strip()


def _online(chosen: Any) -> Servers:
    """Read servers and cache; what is left empty is the default."""
    online = Servers.from_environment()
    given: dict[str, Any] = {"cache_bytes": int(chosen.cache_mib) * 2**20}
    for name in ("neurovault", "compose", "neurostore"):
        text = getattr(chosen, name).strip()
        if text and f"NNR_{name.upper()}_URL" not in os.environ:
            given[name] = parse_site(text, f"Preferences > {name}")
    if chosen.cache_dir.strip() and "NNR_CACHE_DIR" not in os.environ:
        given["cache_dir"] = folder_of(chosen.cache_dir.strip())
    if "NNR_OFFLINE" not in os.environ:
        given["offline"] = bool(chosen.offline)
    return replace(online, **given)


def run_command(name: str, *args: object) -> object:
    """Run a command of this plugin that needs Qt, which this room does not have.

    Parameters
    ----------
    name : str
        Its id without the name of the plugin.

    Returns
    -------
    object
        What the command returns.
    """
    from npe2 import PluginManager

    try:
        # Its menus run commands without activating the plugin, which this does.
        command = PluginManager.instance().commands.get(f"{PLUGIN}.{name}")
    except KeyError:
        # Where the plugin is not registered, as in a script of its own, nothing opens.
        return None
    return command(*args)
