"""What stands in the place of a file: a pointer, a pipe, a page, another format.

A repository that was cloned without its data holds a few lines of text under every
name; a download that went wrong holds a page; a pipe or a device never ends. Each has
to be called what it is, before somebody reads it.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import stat
import zlib
from typing import Any, BinaryIO

from napari_neurosynth_results.errors import ResultsError

#: As much of a file as shows what it is. git-annex allows 32 KiB for its pointers, but
#: says what they are at once.
_ENOUGH = 4096
_PIECE = 1 << 20
_LFS = re.compile(rb"version https://(git-lfs|hawser)\.github\.com/spec/")
_ANNEX = re.compile(rb"(\.git)?[/\\]annex[/\\]objects[/\\]")
_HTML = re.compile(
    rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.I | re.S
)
_TITLE = re.compile(rb"<title[^>]*>\s*([^<]{1,80}?)\s*<", re.I)
#: How a zip archive begins.
ZIP = b"PK\x03\x04"
_GZIP = b"\x1f\x8b"
#: How other formats begin, and what to do with them.
_FORMATS = (
    (ZIP, "a zip archive", "Rename it to .zip and open that"),
    (_GZIP, "gzipped twice", "Gunzip it once"),
    (b"BZh", "compressed by bzip2", "Decompress it with bunzip2"),
    (b"\xfd7zXZ", "compressed by xz", "Decompress it with unxz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "Decompress it with unzstd"),
    (b"7z\xbc\xaf", "a 7-Zip archive", "Unpack it"),
    (b"Rar!", "a RAR archive", "Unpack it"),
    (b"\x89HDF", "an HDF5 file (as MATLAB 7.3 and MINC 2 write)", "Convert it"),
    (b"MATLAB 5.0", "a MATLAB file", "Write its map as NIfTI in MATLAB"),
    (b"NRRD", "an NRRD file", "Convert it to NIfTI"),
    (b"\x89PNG", "a PNG picture", "Open the map that it shows"),
    (b"\xff\xd8\xff", "a JPEG picture", "Open the map that it shows"),
    (b"%PDF", "a PDF", "Open the maps that it is about"),
)
#: Bytes in memory for each mark of JSON: what begins there, or stands before it.
_JSON_WEIGHTS = {b"[": 72, b"{": 184, b",": 40, b":": 60}
_MOST_PER_LETTER = max(_JSON_WEIGHTS.values())
_TAR, _TAR_AT = b"ustar", 257
_DICOM, _DICOM_AT = b"DICM", 128


def refuse_placeholder(path: str | os.PathLike[str]) -> None:
    """Refuse what only stands for a file: a pointer, a broken link, a pipe, a device.

    Parameters
    ----------
    path : path
        A file, whatever it should hold.

    Raises
    ------
    ResultsError
        With what stands there and how to bring the file here.
    """
    if told := pointer_sentence(path):
        raise ResultsError(told)


def pointer_sentence(path: str | os.PathLike[str]) -> str | None:
    """Say of a pointer, a broken link or a pipe what it is; None for any other file."""
    name = os.fspath(path)
    return (
        _link_sentence(name)
        or _endless_sentence(name)
        or _pointer_sentence(name, _head(name))
    )


def what_is_there(
    path: str | os.PathLike[str], wanted: str = "a NIfTI image", begins: bytes = b""
) -> str | None:
    """Say what a file holds that is not what its name promises, and what to do.

    Parameters
    ----------
    path : path
        A file that could not be read as what it should be.
    wanted : str
        What it should be.
    begins : bytes
        How a file of that kind may begin, which is then no surprise.

    Returns
    -------
    str or None
        A sentence with the path; None where nothing is recognized.
    """
    name = os.fspath(path)
    if told := _link_sentence(name) or _endless_sentence(name):
        return told
    head = _head(name)
    if begins and head.startswith(begins):
        return None
    if told := _pointer_sentence(name, head):
        return told
    found = _content(head)
    return found and f"{name} is not {wanted}: it is {found}."


class JsonRefusedError(ValueError):
    """JSON that is not read, however whole it is; the text says why."""


def load_json(data: bytes | str, most: int = 256 << 20) -> Any:
    """Read JSON of others, in bounded memory: all JSON that comes in is read here.

    Parameters
    ----------
    data : bytes or str
        The text, in UTF-8; a byte order mark is skipped.
    most : int
        Bytes in memory that its lists, records and values may take.

    Returns
    -------
    Any
        The value; its shape is for the caller to check.

    Raises
    ------
    JsonRefusedError
        When it would take more memory, or is nested too deeply.
    ValueError
        When it is broken.
    """
    if _is_bulky(data, most):
        raise JsonRefusedError("would take far more memory than any document does")
    text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
    try:
        return json.loads(text)
    except RecursionError:
        raise JsonRefusedError("is nested too deeply to be read") from None


def read_at_most(file: BinaryIO, most: int) -> bytes:
    """Read a file to its end, and one byte more than is allowed at most.

    ``file.read(most)`` sets all that memory aside before it reads a byte.

    Parameters
    ----------
    file : binary file
    most : int
        Bytes that are allowed.

    Returns
    -------
    bytes
        Longer than ``most`` when the file is.
    """
    pieces, left = [], most + 1
    while left and (piece := file.read(min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _is_bulky(data: bytes | str, most: int) -> bool:
    """Tell whether JSON becomes far more in memory than it is long.

    A few kilobytes of ``[],[],...`` become gigabytes, and minutes of work.
    """
    if len(data) * _MOST_PER_LETTER < most:
        return False
    if isinstance(data, str):
        data = data.encode("utf-8", "replace")
    weight = sum(data.count(mark) * each for mark, each in _JSON_WEIGHTS.items())
    return weight > most


def _head(path: str) -> bytes:
    """Read how a file begins, inflated if it is gzipped; nothing where that fails."""
    try:
        # Opening a pipe would wait for whoever writes to it.
        if not os.path.isfile(path):
            return b""
        with open(path, "rb") as file:
            head = file.read(_ENOUGH)
        if not head.startswith(_GZIP):
            return head
        with gzip.open(path) as inflated:
            return inflated.read(_ENOUGH)
    except (OSError, EOFError, ValueError, zlib.error):
        return b""


def _link_sentence(path: str) -> str | None:
    """Say where a link leads, if nothing is there."""
    if not os.path.islink(path) or os.path.exists(path):
        return None
    target = os.readlink(path)
    if _ANNEX.search(os.fsencode(target)):
        return (
            f"{path} is a link of git-annex (DataLad), and its content is not on this "
            f"machine. {_annex_advice(path)}"
        )
    return (
        f"{path} is a link to {target}, which does not exist. Copy the file itself, or "
        "mend the link."
    )


def _endless_sentence(path: str) -> str | None:
    """Name a pipe, a socket or a device, also behind a link: reading may never end."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    return f"{path} is a pipe or a device, not a file. It was not read."


def _pointer_sentence(path: str, head: bytes) -> str | None:
    name = os.path.basename(path)
    if _LFS.match(head):
        return (
            f"{path} is a pointer of Git LFS, and its content is not on this machine. "
            f"Bring it with: git lfs pull --include {name!r} (in its repository)."
        )
    first = head.split(b"\n", 1)[0]
    if _ANNEX.search(first) and b"\0" not in first and len(first) < _ENOUGH:
        return (
            f"{path} is a pointer of git-annex (DataLad), and its content is not on "
            f"this machine. {_annex_advice(path)}"
        )
    return None


def _annex_advice(path: str) -> str:
    name = os.path.basename(path)
    return (
        f"Bring it with: datalad get {name!r}, or git annex get {name!r} (in its "
        "folder)."
    )


def _content(head: bytes) -> str | None:
    """Say what a file holds and what to do, by how it begins."""
    if _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        found = _TITLE.search(head)
        title = f" ({found[1].decode('utf-8', 'replace')!r})" if found else ""
        return (
            f"a web page{title}, with which a server answered, as for a log-in or an "
            "error. Download it again, by the link of the file itself"
        )
    for start, what, advice in _FORMATS:
        if head.startswith(start):
            return f"{what}, whatever its name says. {advice}"
    if head[_TAR_AT:].startswith(_TAR):
        return "a tar archive, whatever its name says. Unpack it"
    if head[_DICOM_AT:].startswith(_DICOM):
        return "a DICOM file. Convert it to NIfTI, as by dcm2niix"
    return _text(head)


def _text(head: bytes) -> str | None:
    """Say what a text is: an answer of a server, or what else is written there."""
    text = head.decode("utf-8-sig", "replace")
    # What was read may end within a letter.
    if "\ufffd" in text[:-4] or any(c < " " and c not in "\t\n\r\f" for c in text):
        return None
    if not (begins := text.strip()):
        return None
    if begins.startswith("<"):
        return (
            "an XML text, as servers answer with when something is wrong. Download it "
            "again"
        )
    if begins.startswith(("{", "[")) and _may_be_json(begins):
        return (
            "a JSON text, as a server's answer or the description beside an image. "
            "Download the file itself"
        )
    return f"a text that begins with {' '.join(begins[:60].split())!r}"


def _may_be_json(text: str) -> bool:
    try:
        load_json(text)
    except JsonRefusedError:
        return False
    except ValueError:
        # Longer than what was read, or broken: its begin is all there is to go by.
        return bool(re.match(r'[{\[]\s*(["{\[\]}]|-?\d)', text))
    return True
