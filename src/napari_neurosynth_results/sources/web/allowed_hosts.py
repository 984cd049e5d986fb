"""Which addresses may be asked, and how they are shown.

Answers of a server are full of addresses, and following one is a request in the name of
the user. So each is taken apart, compared with the few servers that were configured,
and put together again from its checked parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from napari_neurosynth_results.sources.web.responses import RefusedAddressError
from napari_neurosynth_results.sources.web.servers import COMPOSE, NEUROVAULT, Servers

_PORTS = {"http": 80, "https": 443}
_WWW_NEUROVAULT = "https://www.neurovault.org"
#: Other names of Neurosynth Compose and NeuroStore, and their test servers, which link
#: to each other.
_COMPOSE_ALIASES = (
    "https://compose.neurosynth.org",
    "https://neurostore.org",
    "https://synth.neurostore.xyz",
    "https://staging.synth.neurostore.xyz",
    "https://staging.neurostore.xyz",
    "https://dev.synth.neurostore.xyz",
    "https://dev.neurostore.xyz",
)
#: NeuroVault's links to private collections carry eight capital letters: who has them
#: can read the collection.
_PRIVATE = re.compile(r"(?<![A-Za-z0-9])[A-Z]{8}(?![A-Za-z0-9])")
_API_TOKEN = re.compile(r"\b[0-9a-fA-F]{40}\b")
#: What may stand in a path or a query as it is; "%" because it is quoted already.
_PLAIN = "/:@!$&'()*+,;=~%?"


@dataclass(frozen=True)
class Origin:
    """One server: how it is spoken to, its name and its port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the server of an address that was checked before."""
        origin = cls.find(urlsplit(url))
        assert origin is not None
        return origin

    @classmethod
    def find(cls, parts: SplitResult) -> Self | None:
        """Return the server of an address, None where it is none of the web."""
        if parts.scheme not in _PORTS or not parts.hostname:
            return None
        port = parts.port if parts.port is not None else _PORTS[parts.scheme]
        return cls(parts.scheme, parts.hostname, port)

    @property
    def netloc(self) -> str:
        """Its name, and its port where that is unusual."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class AllowedOrigins:
    """The servers that may be asked.

    Parameters
    ----------
    online : Servers
        Where they are configured. The real NeuroVault and the real Compose bring their
        other names with them.
    """

    def __init__(self, online: Servers) -> None:
        self._online = online
        neurovault = {online.neurovault}
        if online.neurovault in (NEUROVAULT, _WWW_NEUROVAULT):
            neurovault = {NEUROVAULT, _WWW_NEUROVAULT}
        others = {online.compose, online.neurostore}
        if online.compose == COMPOSE:
            others |= set(_COMPOSE_ALIASES)
        self._neurovault = frozenset(map(Origin.parse, neurovault))
        self._all = self._neurovault | frozenset(map(Origin.parse, others))

    def check(self, url: str) -> str:
        """Return the address to really ask.

        Parameters
        ----------
        url : str
            Any address, also one that a server gave.

        Returns
        -------
        str
            The same; ``http://`` is ``https://`` for the real servers, which name
            themselves by the former.

        Raises
        ------
        RefusedAddressError
            When it is not on one of the configured servers.
        """
        try:
            parts = urlsplit(url)
            origin = Origin.find(parts)
        except ValueError:
            origin = None
        if origin is None or "@" in parts.netloc:
            raise RefusedAddressError(
                f"{redact(url, self._online)[:200]} is not an address that can be "
                "asked. Copy it again from the page in your browser."
            )
        if origin.scheme == "http" and origin.port == _PORTS["http"]:
            secure = Origin("https", origin.host, _PORTS["https"])
            origin = secure if secure in self._all else origin
        if origin not in self._all:
            raise RefusedAddressError(
                f"{redact(origin.netloc, self._online)} was not asked: only "
                f"{', '.join(sorted(one.netloc for one in self._main()))} may be. If "
                "you trust that server, download the file with your browser and open "
                "it."
            )
        path, query = (quote(part, safe=_PLAIN) for part in (parts.path, parts.query))
        return urlunsplit((origin.scheme, origin.netloc, path or "/", query, ""))

    def is_neurovault(self, url: str) -> bool:
        """Tell whether a checked address is on NeuroVault, which knows our token."""
        return Origin.parse(url) in self._neurovault

    def _main(self) -> set[Origin]:
        online = self._online
        return {
            Origin.parse(url)
            for url in (online.neurovault, online.compose, online.neurostore)
        }


def redact(text: str, online: Servers) -> str:
    """Take out of a text what would let its readers in.

    Parameters
    ----------
    text : str
        An address, or any text that may hold one.
    online : Servers
        Whose API token must not be shown.

    Returns
    -------
    str
        The text without API tokens and without tokens of private collections.

    Examples
    --------
    >>> redact("https://neurovault.org/collections/QWERTYUI/", Servers())
    'https://neurovault.org/collections/<private>/'
    """
    if online.token:
        text = text.replace(online.token, "<token>")
    return _PRIVATE.sub("<private>", _API_TOKEN.sub("<token>", text))
