"""What a batch is to open: each source under a name that is safe to write anywhere."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.escaping import one_line
from napari_neurosynth_results.maps.names import split_extension
from napari_neurosynth_results.sources.files.safe_names import safe_name
from napari_neurosynth_results.sources.online.links import parse_address
from napari_neurosynth_results.sources.online.store import sealed_name
from napari_neurosynth_results.sources.opening import SourceName
from napari_neurosynth_results.sources.placeholders import read_at_most
from napari_neurosynth_results.sources.web.allowed_hosts import redact
from napari_neurosynth_results.sources.web.servers import Servers

_USER = re.compile(r"(?<=//)[^/@\s]*@")
#: What a list may weigh and hold: no image, and no more than a batch can end.
_MOST_BYTES = 16 * 2**20
_MOST_LINES = 100_000
_MOST_OF_NAME = 60


@dataclass(frozen=True)
class BatchSource:
    """One source of a batch.

    Attributes
    ----------
    text : str
        What to open; it may hold a private token, and is never written.
    shown : str
        The same without tokens.
    name : str
        The folder of its files: no two sources share one.
    """

    text: str = field(repr=False)
    shown: str
    name: str

    @property
    def is_path(self) -> bool:
        """Whether it is on this machine."""
        return os.path.lexists(self.text)

    def without_tokens(self, text: str, online: Servers) -> str:
        """Take out of a text about this source what would let its readers in.

        Parameters
        ----------
        text : str
            A title or a sentence.
        online : Servers
            Whose API token must not be shown.

        Returns
        -------
        str
            One line. Folders may have names of eight capital letters: of what is said
            about a path only the API token goes.
        """
        if self.is_path:
            return one_line(_without_own_token(text, online))
        return one_line(_USER.sub("", redact(text, online)))

    def stamp(self) -> str:
        """Say by sizes and times what is on disk, to notice when it changes.

        Returns
        -------
        str
            Empty for what is on a server.
        """
        if not self.is_path:
            return ""
        seen = hashlib.sha256()
        try:
            if os.path.isdir(self.text):
                with os.scandir(self.text) as entries:
                    # Not folders: one of them may be that of the batch.
                    files = sorted((e.name, e.path) for e in entries if not e.is_dir())
            else:
                files = [("", self.text)]
            for name, path in files:
                stat = os.stat(path)
                seen.update(f"{name!r} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        except OSError as error:
            seen.update(f"{error.strerror}".encode())
        return seen.hexdigest()[:16]


def list_sources(sources: Iterable[SourceName], online: Servers) -> list[BatchSource]:
    """Name the sources of a batch.

    Parameters
    ----------
    sources : iterable of path or str
        Paths, links or ids; one that is named again is taken once.

    Returns
    -------
    list of BatchSource
        In the order given.

    Raises
    ------
    ResultsError
        When there is none.
    """
    found: dict[str, BatchSource] = {}
    for source in sources:
        given = os.fspath(source).strip()
        if not given:
            continue
        one = _name_source(given, online)
        found.setdefault(one.name, one)
    if not found:
        raise ResultsError("There is nothing to open: the list of sources is empty.")
    return list(found.values())


def _name_source(given: str, online: Servers) -> BatchSource:
    path = os.path.expanduser(given)
    if os.path.lexists(path):
        # Workers may stand in another folder, and so may whoever goes on later.
        text = os.path.abspath(path)
        shown = one_line(_without_own_token(given, online))
        known_by = text
    else:
        text = given
        known_by = shown = _shown_link(given, online)
    digest = hashlib.sha256(known_by.encode(errors="surrogatepass")).hexdigest()[:16]
    readable = os.path.basename(shown.rstrip("/\\")) or "source"
    return BatchSource(text, shown, f"{safe_name(readable)[:_MOST_OF_NAME]}-{digest}")


def _shown_link(given: str, online: Servers) -> str:
    """Write a link without its token, but so that two private ones stay two."""
    text = given
    try:
        token = parse_address(given, online=online).token
    except ResultsError:
        token = ""
    if token:
        text = text.replace(token, sealed_name(token))
    return one_line(_USER.sub("", redact(text, online)))


def _without_own_token(text: str, online: Servers) -> str:
    return text.replace(online.token, "<token>") if online.token else text


def read_list(given: Iterable[str]) -> list[str]:
    """Expand what was named on a command line into sources.

    Parameters
    ----------
    given : iterable of str
        Sources; files that are neither images nor zips hold one source a line, and
        ``-`` stands for such a list on standard input. Empty lines and lines that begin
        with ``#`` say nothing.

    Returns
    -------
    list of str
        Sources. A relative path in a list is looked for in the current folder, then
        beside the list.

    Raises
    ------
    ResultsError
        When a list cannot be read, or is no text.
    """
    sources: list[str] = []
    for one in given:
        if one == "-":
            sources += _lines(read_at_most(sys.stdin.buffer, _MOST_BYTES), "The list")
        elif os.path.isfile(one) and not _is_result(one):
            sources += _lines_of_file(one)
        else:
            sources.append(one)
    return sources


def _is_result(path: str) -> bool:
    return path.lower().endswith(".zip") or bool(split_extension(path)[1])


def _lines_of_file(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            content = read_at_most(file, _MOST_BYTES)
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error.strerror}.") from error
    beside = os.path.dirname(os.path.abspath(path))
    lines = []
    for line in _lines(content, path):
        near = os.path.join(beside, line)
        only_there = not os.path.lexists(line) and os.path.lexists(near)
        lines.append(near if only_there else line)
    return lines


def _lines(content: bytes, where: str) -> list[str]:
    if len(content) > _MOST_BYTES or b"\0" in content:
        raise ResultsError(
            f"{where} is not a list of sources: it must be text, one source a line."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ResultsError(f"{where} is not in UTF-8. Save it as UTF-8.") from error
    lines = (line.strip() for line in text.split("\n"))
    sources = [line for line in lines if line and not line.startswith("#")]
    if len(sources) > _MOST_LINES:
        raise ResultsError(
            f"{where} lists {len(sources):,} sources. Make lists of at most "
            f"{_MOST_LINES:,}, and a batch of each."
        )
    return sources
