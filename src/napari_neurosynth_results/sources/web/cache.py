"""What was downloaded is kept, so that opening it again is fast and works offline.

Several processes and threads share one folder without talking to each other. That works
because a file gets its final name only when it is whole and checked, and because
nothing goes wrong when another one was faster, or deleted what was about to be used.

What is whole then may not be later: a disk fails, a shared folder is written to by
others. So size and check sum are kept beside each file, and compared before its use. A
folder that is full or read-only stops nobody: what is loaded then lasts as long as the
process.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError
from napari_neurosynth_results.maps.names import split_extension
from napari_neurosynth_results.sources.files.safe_names import safe_name
from napari_neurosynth_results.sources.placeholders import load_json, read_at_most

#: Names of files that are not whole yet begin so.
_PART = ".part-"
#: Seconds after which nobody can be writing an unfinished file any more.
_STALE = 24 * 3600
#: How often to make a folder that others keep deleting because it is empty.
_TRIES = 10
_MOST_DOCUMENT = 256 << 20
#: Seconds that the clocks of two machines may differ.
_CLOCKS = 24 * 3600
#: Where it is written what files were when they were checked.
_RECORDS = "sums"
_LONGEST_RECORD = 200
#: Files and documents put between two looks at the whole.
_LOOK_AFTER = 100


@dataclass(frozen=True)
class CacheKey:
    """Which version of which file.

    Attributes
    ----------
    site, id : str
        Together they name the file, whatever its version: "https://neurovault.org" and
        "image-1017655". Another file of the same image needs an id of its own.
    filename : str
        What to call it; any text.
    modified : str
        What the site says about its version.
    size : int
        Its bytes by the word of the site, 0 when it says nothing.
    """

    site: str
    id: str
    filename: str
    modified: str
    size: int

    @property
    def folder(self) -> str:
        """Its folder's name: the first half stands for the file, all of it for this."""
        item = _digest(self.site, self.id)
        version = _digest(self.site, self.id, self.filename, self.modified, self.size)
        return item[:16] + version[:16]


@dataclass(frozen=True)
class CachedDocument:
    """A document that was kept.

    Attributes
    ----------
    value : Any
        What `json` makes of it.
    saved : float
        When it was put there, in seconds since 1970.
    """

    value: Any
    saved: float


@dataclass(frozen=True)
class CacheEntry:
    """One thing that is kept.

    Attributes
    ----------
    what : str
        "file" or "document".
    last_used : float
        When, in seconds since 1970.
    """

    name: str
    what: str
    size: int
    last_used: float
    path: Path


class NotWritableError(ResultsError):
    """Something cannot be kept; nothing is wrong with it.

    Parameters
    ----------
    told : str
        What cannot, as the begin of a sentence.
    folder : Path
        Where.
    error : OSError
        Why.
    """

    def __init__(self, told: str, folder: Path, error: OSError) -> None:
        super().__init__(
            f"{told}: the folder for downloads, {folder}, cannot be written to "
            f"({error.strerror}). Free some space there, or set NNR_CACHE_DIR to "
            "another folder."
        )


class Cache:
    """Files and documents of servers, in a folder that never grows beyond a limit.

    Parameters
    ----------
    folder : Path
        Where; it is made when something is put there.
    limit_bytes : int
        What it may hold; the least recently used go first.

    Attributes
    ----------
    trouble : str
        Why what comes now is not kept; empty while all is well.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.trouble = ""
        self._spare: Path | None = None
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._files = folder / "files"
        self._documents = folder / "documents"
        self._locks = _KeyLocks()
        # Bytes that may come before it is worth looking what there is; other processes
        # add too, so it is looked again after a while.
        self._room = 0
        self._unseen = 0

    def find(self, key: CacheKey) -> Path | None:
        """Return the file of a key if it is kept, and remember that it was used.

        Only its size is compared: this is asked for each map of a list. `file` compares
        all of it.
        """
        for path in self._places(key):
            if _has_size(path, key):
                with suppress(OSError):  # a cache that may only be read
                    os.utime(path)
                return path
        return None

    def file(
        self,
        key: CacheKey,
        fill: Callable[[Path], None],
        check: Callable[[Path], None],
    ) -> Path:
        """Return the file of a key, got if need be.

        Parameters
        ----------
        key : CacheKey
            Which one. Earlier versions of it are removed when this one is in.
        fill : callable
            Writes it to the path that it is given.
        check : callable
            Raises `ResultsError` when the file at that path is broken. The path has the
            final extension, but not the final name.

        Returns
        -------
        Path
            The file. Another process may evict it at any time, as may this one.

        Raises
        ------
        ResultsError
            What `fill` or `check` raised, or that nothing can be written anywhere.
        """
        with self._locks.held(key):
            damaged = ""
            for path in self._places(key):
                if _is_sound(path, key, check):
                    with suppress(OSError):
                        os.utime(path)
                    return path
                if path.exists():
                    damaged = f"{key.filename}: what was kept of it is damaged. "
            try:
                return self._get(key, fill, check)
            except CancelledError:
                raise
            except ResultsError as error:
                if not damaged or isinstance(error, NotWritableError):
                    raise
                raise type(error)(damaged + str(error)) from error

    def _get(
        self,
        key: CacheKey,
        fill: Callable[[Path], None],
        check: Callable[[Path], None],
    ) -> Path:
        """Get a file into the cache, or where that may not be, beside it."""
        path = self._path(key)
        try:
            self._put_in(path, self._files, fill, check)
        except NotWritableError as error:
            self._tell(error)
            if self._spare is None:
                try:
                    self._spare = Path(tempfile.mkdtemp(prefix="nnr-"))
                except OSError:
                    raise error from None
                weakref.finalize(self, shutil.rmtree, self._spare, ignore_errors=True)
            path = self._places(key)[-1]
            self._put_in(path, path.parent.parent, fill, check)
            return path
        self.trouble = ""
        self._remove_others(key)
        self._make_room(path)
        return path

    def _put_in(
        self,
        path: Path,
        folder: Path,
        fill: Callable[[Path], None],
        check: Callable[[Path], None],
    ) -> None:
        with self._part(folder, split_extension(path.name)[1]) as part:
            with self._writing():
                fill(part)
            check(part)
            with self._writing():
                record = part.with_name(f"{part.name}.sum")
                try:
                    record.write_text(_summary(part), encoding="ascii")
                    os.chmod(record, 0o600)
                    # The record first: a file without one is checked anew.
                    _move_in(record, _record_of(path))
                finally:
                    with suppress(OSError):
                        record.unlink(missing_ok=True)
                _move_in(part, path)

    def _tell(self, error: NotWritableError) -> None:
        self.trouble = f"{error} What is loaded is shown, but not kept."

    def _places(self, key: CacheKey) -> list[Path]:
        """List where a file may be: in the cache, or beside it for this process."""
        path = self._path(key)
        if self._spare is None:
            return [path]
        return [path, self._spare / "files" / key.folder / path.name]

    def put_document(self, name: str, value: Any) -> None:
        """Keep a JSON value.

        Parameters
        ----------
        name : str
            Any text; it does not show in the cache.
        value : Any
            What `json` can write. Secrets must be taken out before.

        Raises
        ------
        NotWritableError
            When the folder cannot be written to; `trouble` says so from then on.
        """
        kept = json.dumps(value)
        text = json.dumps({"saved": time.time(), "sum": _digest(kept), "value": value})
        path = self._document(name)
        try:
            with self._part(self._documents, ".json") as part, self._writing():
                part.write_text(text, encoding="utf-8")
                _move_in(part, path)
        except NotWritableError as error:
            self._tell(error)
            raise
        self.trouble = ""
        self._make_room(path)

    def get_document(self, name: str) -> CachedDocument | None:
        """Return a value that was put under this name, None when it is not there."""
        path = self._document(name)
        try:
            if not path.is_file() or path.stat().st_size > _MOST_DOCUMENT:
                return None
            with open(path, "rb") as file:
                kept = load_json(read_at_most(file, _MOST_DOCUMENT))
            document = CachedDocument(kept["value"], float(kept["saved"]))
            # Those of older versions have no check sum.
            if kept.get("sum", (now := _digest(json.dumps(document.value)))) != now:
                return None
            if not 0 <= document.saved <= time.time() + _CLOCKS:
                return None
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None  # not there, or damaged: it is asked for again
        with suppress(OSError):
            os.utime(path)
        return document

    def entries(self) -> list[CacheEntry]:
        """List what is kept, the most recently used first."""
        found = [_entry(path, "file") for path in _files_matching(self._files, "*/*")]
        found += [
            _entry(path, "document") for path in _files_matching(self._documents, "*")
        ]
        entries = [entry for entry in found if entry is not None]
        return sorted(entries, key=lambda entry: entry.last_used, reverse=True)

    def clear(self, older_than: float = 0.0) -> int:
        """Remove what is kept.

        Parameters
        ----------
        older_than : float
            Only what was not used for so many seconds; 0 for all.

        Returns
        -------
        int
            Bytes freed.
        """
        _remove_stale_parts(self._files, self._documents)
        before = time.time() - older_than
        return sum(
            _remove(entry)
            for entry in self.entries()
            if older_than <= 0 or entry.last_used < before
        )

    def evict(self, keep: Path | None = None) -> int:
        """Remove the least recently used until the rest is within the limit.

        Parameters
        ----------
        keep : Path, optional
            A file that stays in any case.

        Returns
        -------
        int
            Bytes freed.
        """
        _remove_stale_parts(self._files, self._documents)
        entries = self.entries()
        excess = sum(entry.size for entry in entries) - self.limit_bytes
        self._room, self._unseen = max(0, -excess), 0
        freed = 0
        for entry in reversed(entries):
            if freed >= excess:
                break
            if entry.path != keep:
                freed += _remove(entry)
        return freed

    def _make_room(self, added: Path) -> None:
        """Evict once what was added may be too much."""
        with suppress(OSError):
            self._room -= added.stat().st_size
        self._unseen += 1
        if self._room < 0 or self._unseen > _LOOK_AFTER:
            self.evict(keep=added)

    def _path(self, key: CacheKey) -> Path:
        return self._files / key.folder / safe_name(key.filename)

    def _document(self, name: str) -> Path:
        # Hashed, because a name may hold the token of a private collection.
        return self._documents / f"{_digest(name)[:32]}.json"

    @contextmanager
    def _part(self, folder: Path, extension: str) -> Iterator[Path]:
        """Give a new empty file that only this user can read, gone at the end."""
        part = folder / f"{_PART}{os.getpid()}-{secrets.token_hex(8)}{extension}"
        with self._writing():
            # Not by `parents`, which would leave the first of them open to all.
            within = folder.is_relative_to(self.folder)
            for parent in (self.folder, folder) if within else (folder,):
                parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            yield part
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise NotWritableError("Nothing can be kept", self.folder, error) from error

    def _remove_others(self, key: CacheKey) -> None:
        for path in _files_matching(self._files, f"{key.folder[:16]}*/*"):
            if path.parent.name != key.folder and (entry := _entry(path, "file")):
                _remove(entry)


class _KeyLocks:
    """A lock for each key that somebody is busy with."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[CacheKey, tuple[threading.Lock, int]] = {}

    @contextmanager
    def held(self, key: CacheKey) -> Iterator[None]:
        with self._guard:
            lock, users = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = lock, users + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._locks.pop(key)
                if users > 1:
                    self._locks[key] = lock, users - 1


def _digest(*fields: object) -> str:
    # As JSON, so that no two lists of fields look alike.
    text = json.dumps([str(field) for field in fields])
    return hashlib.sha256(text.encode()).hexdigest()


def _record_of(path: Path) -> Path:
    """Return where size and check sum of a file are written."""
    return path.parent.parent.with_name(_RECORDS) / path.parent.name


def _summary(path: Path) -> str:
    """Say what a file is: its size and its check sum."""
    with open(path, "rb") as file:
        return (
            f"{path.stat().st_size} {hashlib.file_digest(file, 'sha256').hexdigest()}"
        )


def _recorded(path: Path) -> str:
    """Read what a file was when it was checked; empty when nobody knows."""
    record = _record_of(path)
    try:
        if not record.is_file() or record.stat().st_size > _LONGEST_RECORD:
            return ""
        with open(record, "rb") as file:
            return file.read(_LONGEST_RECORD).decode("ascii")
    except (OSError, ValueError):
        return ""


def _has_size(path: Path, key: CacheKey) -> bool:
    """Tell whether a file is as long as its record and the site say."""
    try:
        # A machine that lost power may leave an empty file; a pipe has no end.
        size = path.stat().st_size if path.is_file() else 0
    except OSError:
        return False
    told = _recorded(path).partition(" ")[0] or str(key.size or size)
    return size > 0 and str(size) == told


def _is_sound(path: Path, key: CacheKey, check: Callable[[Path], None]) -> bool:
    """Tell whether a file is still what it was when it was checked."""
    if not _has_size(path, key):
        return False
    try:
        if recorded := _recorded(path):
            return _summary(path) == recorded
        check(path)  # an older version kept no record
    except (OSError, ResultsError):
        return False
    with suppress(OSError):
        _record_of(path).parent.mkdir(mode=0o700, exist_ok=True)
        _record_of(path).write_text(_summary(path), encoding="ascii")
    return True


# Each step below is one that the file system does whole or not at all, and whatever
# another process did first is no error.


def _move_in(part: Path, path: Path) -> None:
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


def _files_matching(folder: Path, pattern: str, *, parts: bool = False) -> list[Path]:
    """List the files of a pattern: those that are whole, or those that are not."""
    try:
        return [
            path
            for path in folder.glob(pattern)
            if path.name.startswith(_PART) == parts
        ]
    except OSError:  # it is not there, or went away meanwhile
        return []


def _entry(path: Path, what: str) -> CacheEntry | None:
    """Describe a file, None when it is gone."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return CacheEntry(path.name, what, stat.st_size, stat.st_mtime, path)


def _remove(entry: CacheEntry) -> int:
    """Remove one entry, and the folder it had for itself; return the bytes freed."""
    freed = 0
    with suppress(OSError):  # gone already, or in use on Windows
        entry.path.unlink()
        freed = entry.size
    if entry.what == "file":
        with suppress(OSError):
            entry.path.parent.rmdir()
            _record_of(entry.path).unlink(missing_ok=True)
    return freed


def _remove_stale_parts(*folders: Path) -> None:
    """Remove what a process that ended in the middle left behind."""
    for folder in folders:
        for part in _files_matching(folder, f"{_PART}*", parts=True):
            with suppress(OSError):
                if part.stat().st_mtime < time.time() - _STALE:
                    part.unlink()
