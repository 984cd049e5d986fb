"""Which servers to ask, where to keep what they gave, and whether to ask at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from napari_neurosynth_results.errors import ResultsError

NEUROVAULT = "https://neurovault.org"
COMPOSE = "https://compose.neurosynth.org"
NEUROSTORE = "https://neurostore.org"
#: About a thousand whole-brain maps.
DOWNLOAD_CACHE_BYTES = 2 * 2**30

_APP = "napari-neurosynth-results"
_NO = frozenset({"", "0", "false", "no", "off"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Servers:
    """How to reach NeuroVault, Neurosynth Compose and NeuroStore.

    Attributes
    ----------
    neurovault, compose, neurostore : str
        Addresses of the sites, without a final slash and without ``/api``.
    token : str
        NeuroVault API token, empty for none; never shown.
    cache_dir : Path
        Where downloaded maps are kept.
    cache_bytes : int
        What the cache may hold, in bytes; the least recently used go first.
    offline : bool
        Whether only the cache is asked.
    """

    neurovault: str = NEUROVAULT
    compose: str = COMPOSE
    neurostore: str = NEUROSTORE
    token: str = field(default="", repr=False)
    cache_dir: Path = field(default_factory=lambda: _default_cache_dir())
    cache_bytes: int = DOWNLOAD_CACHE_BYTES
    offline: bool = False

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ, **given: object
    ) -> Self:
        """Read the settings from ``NNR_...`` variables.

        Parameters
        ----------
        environment : mapping of str to str
            ``NNR_NEUROVAULT_URL``, ``NNR_COMPOSE_URL``, ``NNR_NEUROSTORE_URL``,
            ``NNR_CACHE_DIR``, ``NNR_NEUROVAULT_TOKEN`` and ``NNR_OFFLINE``.
        **given
            Attributes that win over the environment, unless they are None.

        Returns
        -------
        Servers
            The settings.

        Raises
        ------
        ResultsError
            When an address is not one that may be asked; the text names the variable.
        """
        found: dict[str, object] = {}
        for name in ("neurovault", "compose", "neurostore"):
            variable = f"NNR_{name.upper()}_URL"
            if text := environment.get(variable, "").strip():
                found[name] = parse_site(text, variable)
        if token := environment.get("NNR_NEUROVAULT_TOKEN", "").strip():
            found["token"] = token
        if folder := environment.get("NNR_CACHE_DIR", "").strip():
            found["cache_dir"] = folder_of(folder)
        found["offline"] = environment.get("NNR_OFFLINE", "").strip().lower() not in _NO
        found |= {name: value for name, value in given.items() if value is not None}
        return cls(**found)  # type: ignore[arg-type]


def parse_site(text: str, where: str) -> str:
    """Check the address of a site, and cut a final slash and ``/api``.

    Parameters
    ----------
    where : str
        The setting that it comes from, for the message.

    Returns
    -------
    str
        ``https://host[:port][/path]``; http only for this machine.

    Raises
    ------
    ResultsError
        When it is not an address of that form.
    """
    text = text.strip().rstrip("/").removesuffix("/api").rstrip("/")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise ResultsError(f"{where} is not an address: {text}.") from error
    plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or plain):
        raise ResultsError(
            f"{where} has to be an https:// address (http:// only for this machine); "
            f"it is {text}."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ResultsError(f"{where} has to be the plain address of a site.")
    return text


def folder_of(text: str) -> Path:
    """Read the path of a folder; a home that is not known stays a name.

    >>> folder_of("~nobody-of-this-name/cache").name
    'cache'
    """
    return Path(os.path.expanduser(text))


def _default_cache_dir() -> Path:
    """Return the folder that this system keeps caches in."""
    from platformdirs import user_cache_path

    return Path(user_cache_path(_APP, appauthor=False))
