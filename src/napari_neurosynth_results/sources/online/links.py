"""Whatever a user may paste -> what it names, or why it names nothing to open.

Nothing is asked here: links are read by their form alone. Hosts are compared as a
whole, because a link that merely contains ``neurovault.org`` may lead anywhere.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import IPv4Address
from urllib.parse import parse_qs, unquote, urlsplit

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.sources.online.link_patterns import (
    WHAT_OPENS,
    Route,
    list_sites,
)
from napari_neurosynth_results.sources.web.servers import Servers

#: Brackets and quotes that come along when a link is copied out of a text.
_AROUND = " \t\r\n<>\"'`()[]{}«»“”"
_AFTER = ".,;:!"
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*):(//?)?", re.I)
_HOST_LIKE = re.compile(
    r"^([\w.-]+\.[a-z]{2,}|localhost|\d+(\.\d+){3})(:\d+)?(/|$|\?|#)", re.I
)
_MARKDOWN = re.compile(r"\[[^\]]*\]\(([^\s()]+)\)")
_DOI = re.compile(r"^(doi:\s*)?10\.\d{4,}/", re.I)
_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")
_IS_PATH = re.compile(r"^([/\\~.]|[A-Za-z]:[\\/])")
_COMPACT = re.compile(
    r"neurovault\.?(collection|image)s?[:/]([0-9]+)/?([?#].*)?$", re.I
)
_PREFIXED = re.compile(r"^(neurovault|collection|image):/{0,2}(.+)$", re.I)
_PRIVATE_IMAGE = re.compile(r"^([A-Z]{8})-([0-9]+)$")
_ALMOST_TOKEN = re.compile(r"^[A-Za-z]{8}$")
_TOKEN = re.compile(r"^[A-Z]{8}$")
_TOKEN_INSIDE = re.compile(r"(?<![A-Za-z0-9])[A-Z]{8}(?![A-Za-z0-9])")
_COMPOSE_ID = re.compile(r"^(?=.*\d)(?=.*[A-Za-z])[0-9A-Za-z]{12}$")
_META_ANALYSIS = re.compile(r"/meta-analyses/([0-9A-Za-z]{12})/?$")
#: What a private collection, or an image of one, is kept under.
_SEALED = re.compile(r"private-[0-9a-f]{32}(-\d+)?")
_RESOLVERS = frozenset(
    {"identifiers.org", "www.identifiers.org", "n2t.net", "bioregistry.io"}
)
_EXTENSIONS = (".zip", ".nii", ".nii.gz", ".hdr", ".img", ".mgz", ".mgh")
_LONGEST = 2000
_TOKEN_LENGTH = 8


def is_sealed_name(text: str) -> bool:
    """Tell whether a text stands for a private collection that was opened before.

    Returns
    -------
    bool
        Whether it is a `sealed_name` of `sources.online.store`, of a collection or of
        one image.
    """
    return bool(_SEALED.fullmatch(text))


class AddressKind(StrEnum):
    """What an address names."""

    COLLECTION = "collection"
    IMAGE = "image"
    FILE = "file"
    NIDM = "nidm"
    META_ANALYSIS = "meta-analysis"
    RESULT = "result"
    PROJECT = "project"
    PATH = "path"


class UnsupportedSource(ResultsError):  # noqa: N818 - the name is part of the API
    """The text names nothing that can be opened; it says what it names instead."""


@dataclass(frozen=True)
class Address:
    """What a user pasted, understood.

    Attributes
    ----------
    kind : AddressKind
        What it names.
    id : str
        Number of a collection or image, id of Compose, or the path; empty where a
        private token takes the place of a collection's number.
    token : str or None
        Eight capital letters that open a private collection; never shown.
    host : str
        The host it was on, as the user knows it; empty for a path.
    site : str
        The address of the server to ask.
    filename : str
        Of a file, a NIDM-Results pack, or a map inside one, with both names.
    collection : str
        Number of the collection, where the link of an image names it too.
    """

    kind: AddressKind
    id: str = ""
    token: str | None = field(default=None, repr=False)
    host: str = ""
    site: str = ""
    filename: str = ""
    collection: str = ""

    def __str__(self) -> str:
        """Kind and id; ``private`` instead of a token."""
        return f"{self.kind} {'private' if self.token else self.id}".strip()


def parse_address(text: str, *, online: Servers | None = None) -> Address:
    """Read what a user pasted.

    Parameters
    ----------
    text : str
        A link, an id, a compact identifier, or a path.
    online : Servers, optional
        Servers that count as NeuroVault and Compose; the public ones if not given.

    Returns
    -------
    Address
        What it names.

    Raises
    ------
    UnsupportedSource
        When it names nothing that can be opened; the text says what it is.

    Examples
    --------
    >>> address = parse_address("https://neurovault.org/collections/1425/")
    >>> address.kind, address.id, address.host
    (<AddressKind.COLLECTION: 'collection'>, '1425', 'neurovault.org')
    >>> parse_address("neurovault.image:32015").kind
    <AddressKind.IMAGE: 'image'>
    """
    online = online or Servers()
    text = text[: _LONGEST + 1].strip(" \t\r\n\"'")
    if not _IS_PATH.match(text):
        # A path may end in a bracket or a dot of its own.
        text = _unwrap(text)
    if not text:
        raise UnsupportedSource(f"There is nothing to open. {WHAT_OPENS}")
    if len(text) > _LONGEST:
        raise UnsupportedSource(f"That is too long for a link. {WHAT_OPENS}")
    if compact := _parse_compact(text, online):
        return compact
    return _parse_bare(text, online) or _parse_path(text) or _parse_link(text, online)


def _unwrap(text: str) -> str:
    """Take off what surrounds a link in a text."""
    if found := _MARKDOWN.search(text):
        text = found[1]
    return text.strip(_AROUND).rstrip(_AFTER).strip(_AROUND)


def find_meta_analysis_id(full_dataset_url: str) -> str | None:
    """Find the meta-analysis that a collection's ``full_dataset_url`` names.

    Compose writes its own address there, which in real records is often
    ``http://localhost``: so only the path counts.

    Parameters
    ----------
    full_dataset_url : str
        Out of NeuroVault's record.

    Returns
    -------
    str or None
        The id, for the public Compose.
    """
    try:
        found = _META_ANALYSIS.search(urlsplit(full_dataset_url.strip()).path)
    except ValueError:
        return None
    return found[1] if found else None


def _parse_compact(text: str, online: Servers) -> Address | None:
    """Read a compact identifier, alone or behind one of its resolvers."""
    # Copied out of a PDF, it has blanks where lines were broken.
    text = re.sub(r"\s+", "", text)
    if not (found := _COMPACT.search(text)):
        return None
    before = re.sub(r"^https?:/{0,2}", "", text[: found.start()].lower()).rstrip("/:")
    if before and before not in _RESOLVERS:
        return None
    return _numbered_address(found[1].lower(), found[2], online)


def _numbered_address(kind: str, number: str, online: Servers) -> Address:
    made = AddressKind.IMAGE if kind == "image" else AddressKind.COLLECTION
    return Address(made, number, host=_host(online.neurovault), site=online.neurovault)


def _host(site: str) -> str:
    return urlsplit(site).netloc.lower().removeprefix("www.")


def _parse_bare(text: str, online: Servers) -> Address | None:
    """Read an id without a link around it."""
    here = {"host": _host(online.neurovault), "site": online.neurovault}
    if text.isascii() and text.isdigit():
        return Address(AddressKind.COLLECTION, text, **here)
    if _TOKEN.match(text):
        return Address(AddressKind.COLLECTION, token=text, **here)
    if private := _PRIVATE_IMAGE.match(text):
        return Address(AddressKind.IMAGE, private[2], token=private[1], **here)
    if _COMPOSE_ID.match(text):
        host = _host(online.compose)
        return Address(AddressKind.META_ANALYSIS, text, host=host, site=online.compose)
    if prefixed := _PREFIXED.match(text):
        return _parse_prefixed(prefixed[1].lower(), prefixed[2].strip("/"), online)
    return None


def _parse_prefixed(prefix: str, rest: str, online: Servers) -> Address:
    """Read ``neurovault:1425``, ``neurovault://collections/1425`` and the like."""
    # Qt takes the number of neurovault://1425 for an IPv4 address.
    with suppress(ValueError):
        rest = str(int(IPv4Address(rest)))
    if rest.isascii() and rest.isdigit():
        return _numbered_address(
            "image" if prefix == "image" else "collection", rest, online
        )
    if _TOKEN.match(rest) or _PRIVATE_IMAGE.match(rest):
        found = _parse_bare(rest, online)
        assert found is not None
        return found
    return _parse_link(f"{online.neurovault}/{rest}", online)


def _parse_path(text: str) -> Address | None:
    """Read a path on this machine; what has a scheme or a host is none."""
    if text.lower().startswith("file:"):
        return _file_url(text)
    if _IS_PATH.match(text):
        return Address(AddressKind.PATH, text)
    if _DOI.match(text):
        raise UnsupportedSource(
            f"This is the DOI of a paper, not a result. {WHAT_OPENS}"
        )
    if _SCHEME.match(text) and not _HOST_LIKE.match(text):
        return None
    named = text.lower().endswith(_EXTENSIONS)
    parted = any(mark in text for mark in ("/", "\\", os.sep))
    # Of somebody@neurovault.org/..., the host is behind the @.
    hosted = _HOST_LIKE.match(text.rpartition("@")[2])
    if (named and not _is_on_host(text)) or (parted and not hosted):
        return Address(AddressKind.PATH, text)
    return None


def _file_url(text: str) -> Address:
    """Read ``file:///data``, also with the slashes that pathlib leaves of it."""
    # file://server/share keeps both slashes: that is how Windows names a share.
    path = unquote(re.sub(r"^file:(//(localhost)?(?=/))?", "", text, flags=re.I))
    if _DRIVE.match(path.lstrip("/")):
        path = path.lstrip("/")
    if not path.strip("/"):
        raise UnsupportedSource(f"This file: link names no file. {WHAT_OPENS}")
    return Address(AddressKind.PATH, path)


def _is_on_host(text: str) -> bool:
    return bool(_HOST_LIKE.match(text)) and "/" in text


def _parse_link(text: str, online: Servers) -> Address:
    """Read a link by its host and its path."""
    text = re.sub(r"^(https?):/+", r"\1://", text, flags=re.I)
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise UnsupportedSource(f"That is not an address. {WHAT_OPENS}") from error
    if parts.scheme.lower() not in {"http", "https"} or "@" in parts.netloc:
        raise UnsupportedSource(
            f"{host or 'That'} is not a link to a page: only plain https links "
            f"can be opened. {WHAT_OPENS}"
        )
    where = f"{host}:{port}" if port and port not in {80, 443} else host
    for pasted, site, routes in list_sites(online):
        base = urlsplit(pasted)
        prefix = base.path.rstrip("/")
        if where != base.netloc.lower().removesuffix(":443"):
            continue
        if parts.path == prefix or parts.path.startswith(f"{prefix}/"):
            path = unquote(parts.path[len(prefix) :])
            return _parse_page(path, site, routes, where)
    if host in {"neurosynth.org", "www.neurosynth.org"}:
        return _parse_neurosynth(parts.query, online)
    if host in _RESOLVERS:
        raise UnsupportedSource(
            f"{host} resolves identifiers, and this one is not NeuroVault's. "
            f"{WHAT_OPENS}"
        )
    if _ALMOST_TOKEN.match(host):
        raise UnsupportedSource(
            f"{host} is not an id that can be opened. The token of a private "
            f"collection is eight capital letters. {WHAT_OPENS}"
        )
    if "." not in where and where == text.removeprefix("https://").lower():
        # A word: perhaps of a folder that lies elsewhere.
        raise UnsupportedSource(
            f"There is no file or folder {where} here, and it is not a link. "
            f"{WHAT_OPENS}"
        )
    raise UnsupportedSource(
        f"{where or text[:60]} is not a site that results can be opened from. "
        f"{WHAT_OPENS}"
    )


def _parse_page(path: str, site: str, routes: tuple[Route, ...], host: str) -> Address:
    """Read the path of a page on a known site."""
    path = path.rstrip("/")
    for route in routes:
        if not (found := route.pattern.fullmatch(path)):
            continue
        if route.refusal:
            raise UnsupportedSource(route.refusal)
        parts = found.groupdict()
        shown = host.removeprefix("www.")
        made = Address(AddressKind(route.kind), host=shown, site=site)
        if "id" in parts:
            return replace(made, id=parts["id"])
        token, number = parts.get("token"), ""
        if (cid := parts.get("cid")) is not None:
            number, token = _collection(cid)
        if "pk" in parts:
            return replace(made, id=parts["pk"], token=token, collection=number)
        filename = parts.get("filename") or ""
        if inside := parts.get("inside"):
            filename = f"{filename}/{inside}"
        return replace(made, id=number, token=token, filename=filename)
    shown = _TOKEN_INSIDE.sub("(private)", path)[:80]
    raise UnsupportedSource(
        f"{host}{shown} is not a page that results can be opened from. {WHAT_OPENS}"
    )


def _collection(cid: str) -> tuple[str, str | None]:
    """Tell the number of a collection from a private token."""
    if cid.isascii() and cid.isdigit():
        return cid, None
    if _TOKEN.match(cid):
        return "", cid
    if _ALMOST_TOKEN.match(cid) or len(cid) == _TOKEN_LENGTH:
        raise UnsupportedSource(
            "The token of a private collection is eight capital letters; this link has "
            "something else there. Copy the link again."
        )
    raise UnsupportedSource(
        f"{cid[:40]} is not the number of a NeuroVault collection. {WHAT_OPENS}"
    )


def _parse_neurosynth(query: str, online: Servers) -> Address:
    """Read a link of the old Neurosynth, which may carry a NeuroVault image."""
    images = parse_qs(query).get("neurovault", [""])
    if images[0].isascii() and images[0].isdigit():
        return _numbered_address("image", images[0], online)
    raise UnsupportedSource(
        "This is a page of the old Neurosynth, not of Neurosynth Compose; open a "
        "Compose meta-analysis or a NeuroVault collection instead."
    )
