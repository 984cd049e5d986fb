"""File names that any system takes, and names of files that any text takes."""

from __future__ import annotations

import os
import re
import unicodedata

from napari_neurosynth_results.maps.names import split_extension

#: Bytes, because that is what file systems count.
_MOST_BYTES = 120
_MOST_EXTENSION = 10
_NOT_IN_WINDOWS = frozenset('<>:"/\\|?*')
# With any extension, and with superscript digits too (Microsoft, "Naming Files").
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)")


def legible(text: str) -> str:
    r"""Write bytes of a file name that are no letters as Python does.

    >>> legible("caf\udce9")
    'caf\\xe9'
    """
    if text.isascii():
        return text
    try:
        # What came from the file system is bytes again, and read as UTF-8.
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")


def safe_name(name: str) -> str:
    """Return a name for a file that stays in its folder and is readable.

    Parameters
    ----------
    name : str
        Anything.

    Returns
    -------
    str
        The same as far as possible: no separator, no control character, no leading
        dot, at most 120 bytes of UTF-8, and the extension of an image kept.

    Examples
    --------
    >>> safe_name("z_desc-mass.nii.gz")
    'z_desc-mass.nii.gz'
    >>> safe_name("../pain: ALE.nii.gz")
    '_pain_ ALE.nii.gz'
    """
    name = unicodedata.normalize("NFC", name)
    name = "".join(map(_safe, name)).strip(". ")
    if _DEVICES.match(name):
        name = f"_{name}"
    stem, extension = split_extension(name)
    if not extension:
        stem, extension = os.path.splitext(name)
    if len(extension.encode()) > _MOST_EXTENSION:
        stem, extension = name, ""
    room = _MOST_BYTES - len(extension.encode())
    stem = stem.encode()[:room].decode(errors="ignore").rstrip(". ")
    return f"{stem or 'file'}{extension}"


def _safe(character: str) -> str:
    kind = unicodedata.category(character)[0]
    # "C" are control, format and private characters, and halves of surrogate pairs.
    if kind == "C" or character in _NOT_IN_WINDOWS:
        return "_"
    return " " if kind == "Z" else character
