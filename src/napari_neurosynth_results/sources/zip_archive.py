"""A zip of maps -> a folder of its own, and nothing outside of it.

A zip may hold anything: names that lead elsewhere, a petabyte in a kilobyte, broken
parts. What is taken out is the maps, tables and texts, under safe names, counted as
they inflate; the rest is named and left.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
import time
import weakref
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sources.files.folder import is_image, open_folder
from napari_neurosynth_results.sources.files.safe_names import legible, safe_name
from napari_neurosynth_results.sources.online.nilearn_downloads import (
    is_nilearn_folder,
    open_nilearn,
)
from napari_neurosynth_results.sources.placeholders import (
    ZIP,
    pointer_sentence,
    what_is_there,
)

if sys.platform != "win32":
    import fcntl

#: Members of one zip that are looked at, and that are taken out.
_MOST_MEMBERS = 20_000
_MOST_TAKEN = 2000
#: Bytes of the list of members at the end: some hundred for each that is looked at. The
#: records that say how long it is stand within the last bytes (APPNOTE 4.3.14, 4.3.16).
_LONGEST_DIRECTORY = 16 << 20
_LONGEST_END = (64 << 10) + 200
_ENDS = ((b"PK\5\6", 12, 16), (b"PK\6\6", 40, 48))
_MOST_TOLD = 20
#: Compressed maps hardly shrink again; more than deflate's own limit is a lie.
_MOST_RATIO = 1032
_PIECE = 1 << 20
_TEXTS = ("boilerplate.txt", "references.bib", ".tsv", "metadata.json")
#: Unpacked zips that are kept; the one that was used longest ago goes first.
_MOST_KEPT = 10
#: Held open, and locked, by each process that has the maps beside it.
_LOCK = ".in-use"
#: Seconds after which nobody can be unpacking any more.
_STALE = 24 * 3600
_ENCRYPTED = 0x1
_DRIVE = re.compile(r"[A-Za-z]:/")
#: Keeps what was unpacked by an older version, which may have unpacked less, apart.
_VERSION = "1"
#: What zipfile raises for broken zips; NotImplementedError is its word for a version or
#: a way of compressing that it does not know.
_BROKEN = (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, ValueError)


def open_zip(path: str, max_bytes: int, *, unpack_to: Path) -> ResultSet:
    """Open a zip of maps, such as the download of a NeuroVault collection.

    Parameters
    ----------
    max_bytes : int
        Refuse to unpack more than this, and images that need more memory.
    unpack_to : Path
        Where folders of unpacked zips are kept; opening one again finds its folder.

    Returns
    -------
    ResultSet
        Its maps; ``problems`` names what was not taken out and why.

    Raises
    ------
    ResultsError
        When it is no zip, is too large, or holds no map.
    """
    if told := pointer_sentence(path):  # a pipe, too, which would never end
        raise ResultsError(told)
    try:
        folder, problems, held = _unpack(path, max_bytes, unpack_to)
    except _BROKEN as error:
        if told := what_is_there(path, "a complete zip file", ZIP):
            raise ResultsError(told) from error
        raise ResultsError(
            f"{path} is not a complete zip file ({error}). Download it again. "
            "NeuroVault's zip of a large collection is often cut short: open its "
            "link instead."
        ) from error
    except OSError as error:
        if told := what_is_there(path, "a complete zip file", ZIP):
            raise ResultsError(told) from error
        reason = error.strerror or error
        raise ResultsError(f"{path} cannot be unpacked: {reason}.") from error
    nilearn = is_nilearn_folder(str(folder))
    try:
        results = (open_nilearn if nilearn else open_folder)(str(folder), max_bytes)
    except BaseException:
        held.close()
        raise
    # Nobody removes the folder while somebody has its maps.
    weakref.finalize(results, held.close)
    if not nilearn:
        results.title = legible(os.path.splitext(os.path.basename(path))[0])
    results.source = path
    results.report(*problems)
    return results


def _unpack(path: str, max_bytes: int, root: Path) -> tuple[Path, list[str], IO[bytes]]:
    """Unpack a zip to a folder that is named by its content, unless it is there.

    Returns
    -------
    folder, problems, held
        `held` keeps the folder from being removed until it is closed.
    """
    _refuse_long_directory(path)
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    folder = root / f"{digest}-{_VERSION}"
    with zipfile.ZipFile(path) as archive:
        members, problems = _choose_members(archive, max_bytes)
        if not any(is_image(name) for name in members):
            told = "\n".join([f"{path} holds no map.", *problems[:_MOST_TOLD]])
            raise ResultsError(told)
        if held := _hold(folder):
            with suppress(OSError):
                os.utime(folder)
            return folder, problems, held
        for old in list_unpacked_zips(root)[_MOST_KEPT - 1 :]:
            _evict(old)
        for old in _list_abandoned(root):
            shutil.rmtree(old, ignore_errors=True)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".part-", dir=root))
        try:
            problems += _take_out(archive, members, partial, max_bytes)
            (partial / _LOCK).touch(mode=0o600)
            try:
                os.replace(partial, folder)
            except OSError:
                # Another process was faster, and its folder is as good.
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    if not (held := _hold(folder)):
        raise OSError("another process removed what was unpacked")
    return folder, problems, held


def _refuse_long_directory(path: str) -> None:
    """Refuse a zip whose list of members is longer than that of any result.

    Python reads all of it before it says how many there are.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _LONGEST_END))
        tail = file.read(_LONGEST_END)
    lengths = [
        int.from_bytes(tail[at + begin : at + end], "little")
        for mark, begin, end in _ENDS
        if (at := tail.rfind(mark)) >= 0
    ]
    # One that does not fit into its field is in the longer record.
    if any(_LONGEST_DIRECTORY < length <= size for length in lengths):
        raise ResultsError(f"{path} holds too many files for a result.")


def _hold(folder: Path) -> IO[bytes] | None:
    """Keep a folder from being evicted; None when it is not there."""
    if not folder.is_dir():
        return None
    try:
        held = open(folder / _LOCK, "ab")  # noqa: SIM115 (as long as the result)
    except PermissionError:
        # A cache that may only be read: nobody can evict from it either.
        return open(os.devnull, "rb")
    except OSError:
        return None
    if sys.platform != "win32":
        fcntl.flock(held, fcntl.LOCK_SH)
        if not folder.is_dir():
            held.close()
            return None
    return held


def _evict(folder: Path) -> None:
    """Remove a folder, unless some process has its maps open."""
    # Renamed first, so that nobody finds half of it. Windows renames nothing in use.
    gone = folder.with_name(f".part-{folder.name}")
    try:
        with open(folder / _LOCK, "ab") as lock:
            if sys.platform != "win32":
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                folder.rename(gone)
        if sys.platform == "win32":
            folder.rename(gone)
    except OSError:
        return
    shutil.rmtree(gone, ignore_errors=True)


def list_unpacked_zips(root: Path) -> list[Path]:
    """List the folders of unpacked zips, the last used first.

    Parameters
    ----------
    root : Path
        Where they are kept.

    Returns
    -------
    list of Path
        One folder a zip.
    """
    try:
        # Hidden ones are being written, or were left when somebody was killed.
        folders = [
            path
            for path in root.iterdir()
            if path.is_dir() and not path.name.startswith(".")
        ]
        return sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:  # none was unpacked, or another process tidies up
        return []


def _list_abandoned(root: Path) -> list[Path]:
    """List what nobody can be writing any more."""
    found = []
    with suppress(OSError):
        before = time.time() - _STALE
        found = [p for p in root.glob(".part-*") if p.stat().st_mtime < before]
    return found


def _choose_members(
    archive: zipfile.ZipFile, max_bytes: int
) -> tuple[dict[str, zipfile.ZipInfo], list[str]]:
    """Choose what to take out: name in the folder -> member."""
    infos = archive.infolist()
    if len(infos) > _MOST_MEMBERS:
        raise ResultsError(
            f"{archive.filename} holds {len(infos):,} files, too many for a result."
        )
    problems: list[str] = []
    wanted: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        base = PurePosixPath(info.filename.replace("\\", "/")).name
        if (
            info.is_dir()
            or base.startswith(".")
            or info.filename.startswith("__MACOSX")
        ):
            continue
        if base.lower().endswith(".zip"):
            problems.append(
                f"{info.filename}: a zip inside a zip is not opened. Unpack it, and "
                "open what is in it."
            )
        if not (is_image(base) or base.lower().endswith(_TEXTS)):
            continue
        if refusal := _refusal(info):
            problems.append(f"{info.filename!r} was not unpacked: {refusal}.")
            continue
        wanted[_free_name(info.filename, safe_name(base), wanted, problems)] = info
        if len(wanted) >= _MOST_TAKEN:
            problems.append(f"Only the first {_MOST_TAKEN:,} files were unpacked.")
            break
    if sum(info.file_size for info in wanted.values()) > max_bytes:
        raise ResultsError(
            f"{archive.filename} would unpack to more than {max_bytes / 2**20:,.0f} "
            "MiB. Raise max_bytes if you trust it."
        )
    return wanted, problems


def _refusal(info: zipfile.ZipInfo) -> str | None:
    """Say why a member is not taken out, None when it is."""
    name = info.filename.replace("\\", "/")
    if name.startswith("/") or _DRIVE.match(name):
        return "its name is absolute"
    if ".." in PurePosixPath(name).parts:
        return "its name leads outside the zip"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG}:
        return "it is a link or a device"
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        # Python unpacks those in pieces of any size.
        return "it is compressed by another method than deflate"
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if info.file_size > _MOST_RATIO * max(info.compress_size, 1):
        return "it claims to unpack to more than is possible"
    return None


def _free_name(
    full: str, base: str, taken: dict[str, zipfile.ZipInfo], problems: list[str]
) -> str:
    """Tell files of one name apart by their folders, else by a number."""
    if base not in taken:
        return base
    folder = PurePosixPath(full.replace("\\", "/")).parent.name
    for number in range(1, _MOST_TAKEN + 1):
        name = safe_name(f"{folder or 'copy'}{'' if number == 1 else number}_{base}")
        if name not in taken:
            problems.append(
                f"{full}: another file has that name, so it is called {name}."
            )
            return name
    raise ValueError("too many files of one name")


def _take_out(
    archive: zipfile.ZipFile,
    members: dict[str, zipfile.ZipInfo],
    folder: Path,
    max_bytes: int,
) -> list[str]:
    """Write members to a folder; say which could not be, and stop at the limit."""
    problems = []
    left = max_bytes
    for name, info in members.items():
        target = folder / name
        try:
            with archive.open(info) as source, open(target, "xb") as file:
                while piece := source.read(_PIECE):
                    # Counted here, because sizes in a zip may lie.
                    left -= len(piece)
                    if left < 0:
                        raise ResultsError(
                            f"{archive.filename} unpacks to more than "
                            f"{max_bytes / 2**20:,.0f} MiB, whatever it claims. It was "
                            "not opened."
                        )
                    file.write(piece)
        except _BROKEN as error:
            target.unlink(missing_ok=True)
            problems.append(f"{info.filename!r} is broken: {error}.")
    if not any(is_image(path.name) for path in folder.iterdir()):
        raise ResultsError("\n".join([f"{archive.filename} holds no map.", *problems]))
    return problems
