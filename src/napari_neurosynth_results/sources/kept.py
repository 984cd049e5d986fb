"""Files that several processes add and remove at once, without talking to each other.

Each step here is one that the file system does whole or not at all, and whatever
another process did first is no error.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: Names of files that are not whole yet begin so.
PART = ".part-"
#: Seconds after which nobody can be writing an unfinished file any more.
_STALE = 24 * 3600
#: How often to make a folder that others keep deleting because it is empty.
_TRIES = 10


@dataclass(frozen=True)
class Entry:
    """One thing that is kept.

    Attributes
    ----------
    name : str
        Its file name.
    what : str
        "file" or "document".
    size : int
        Its bytes.
    last_used : float
        When, in seconds since 1970.
    path : Path
        Where.
    """

    name: str
    what: str
    size: int
    last_used: float
    path: Path


def move_in(part: Path, path: Path) -> None:
    """Give a finished file its final name."""
    os.chmod(part, 0o600)
    for tried in range(_TRIES):
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            os.replace(part, path)
            return
        except PermissionError:
            # Windows: the same file is there already, and somebody reads it.
            if path.exists():
                return
            raise
        except FileNotFoundError:
            # Another process removed the folder while it was empty.
            if tried == _TRIES - 1:
                raise


def listed(folder: Path, pattern: str, *, parts: bool = False) -> list[Path]:
    """List the files of a pattern: those that are whole, or those that are not."""
    try:
        return [
            path for path in folder.glob(pattern) if path.name.startswith(PART) == parts
        ]
    except OSError:  # it is not there, or went away meanwhile
        return []


def entry_of(path: Path, what: str) -> Entry | None:
    """Describe a file, None when it is gone."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return Entry(path.name, what, stat.st_size, stat.st_mtime, path)


def remove(entry: Entry) -> int:
    """Remove one entry, and the folder it had for itself; return the bytes freed."""
    freed = 0
    with suppress(OSError):  # gone already, or in use on Windows
        entry.path.unlink()
        freed = entry.size
    if entry.what == "file":
        with suppress(OSError):
            entry.path.parent.rmdir()
    return freed


def remove_stale_parts(*folders: Path) -> None:
    """Remove what a process that ended in the middle left behind."""
    for folder in folders:
        for part in listed(folder, f"{PART}*", parts=True):
            with suppress(OSError):
                if part.stat().st_mtime < time.time() - _STALE:
                    part.unlink()
