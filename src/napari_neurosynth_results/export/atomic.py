"""Files that are whole or not there: nobody ever reads half of one.

What is written gets its name at the very end, by a call of the system that fails when
the name was taken meanwhile: a look at the start would not know. Before that it is
flushed to the disk, so that a power cut leaves all of it or nothing.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple, TextIO

from napari_neurosynth_results.errors import ResultsError

# What is being written lies in ``.saving-nnr-<host>-<process>-<random>``.
_HOST = re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname())[:40] or "host"
_SCRATCH = re.compile(
    r"\.saving-nnr-(?P<host>[A-Za-z0-9_]{1,40})-(?P<process>\d{1,9})-[0-9a-f]{16}"
)
#: How texts of ours are written, and what has no letter: see `open_for_text`.
_CODING, _NO_LETTER = "utf-8", "backslashreplace"
#: Where asking for a process would end it, what is older than this is nobody's.
_FORGOTTEN_AFTER = 24 * 3600.0
#: What file systems without hard links answer.
_NO_LINKS = frozenset(
    {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
    | {errno.EMLINK, errno.EXDEV}
)
#: What says that a folder is not empty, or is none, when another is to take its name.
_TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR})


def check_path(
    path: str | os.PathLike[str], extensions: Iterable[str], refusal: str
) -> str:
    """Return the name of a file whose extension says what is to be written.

    Parameters
    ----------
    extensions : iterable of str
        Those that can be written, as in ``.nii.gz``; capitals do not matter.
    refusal : str
        What to say of another one: ``a map is saved as .nii``.

    Returns
    -------
    str
        The path.

    Raises
    ------
    ResultsError
        For another extension, or a name that no system takes.

    Examples
    --------
    >>> check_path("z.NII", [".nii"], "a map is saved as .nii")
    'z.NII'
    """
    target = checked_name(path)
    name = os.path.basename(target).lower()
    if not any(name.endswith(one) and len(name) > len(one) for one in extensions):
        raise ResultsError(f"{target}: {refusal}.")
    return target


def checked_name(path: str | os.PathLike[str]) -> str:
    """Return a path as text, if a file can be called so.

    Raises
    ------
    ResultsError
        When it holds a NUL or half a letter, which no system takes.

    Examples
    --------
    >>> checked_name("table.tsv")
    'table.tsv'
    """
    target = os.fspath(path)
    try:
        possible = b"\0" not in os.fsencode(target)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise ResultsError(f"No file can be called {target!a}. Choose another name.")
    return target


def already_exists(path: str | os.PathLike[str]) -> ResultsError:
    """Return the error that says that a name is not free."""
    return ResultsError(f"{os.fspath(path)} exists already. Choose another name.")


def refuse_existing(path: str | os.PathLike[str]) -> None:
    """Refuse a name that is taken, before anybody works for what is to have it.

    Raises
    ------
    ResultsError
        When there is anything of that name, or no system takes it.
    """
    if os.path.lexists(checked_name(path)):
        raise already_exists(path)


def write_whole(target: str, write: Callable[[str], None], *, overwrite: bool) -> None:
    """Write a file under another name, and give it its own when it is whole.

    Parameters
    ----------
    target : str
        Its name. Where a link may be replaced, what it leads to is, never the link.
    write : callable
        Writes to the path that it is called with.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        When the name is taken, also while it is written, or it cannot be written.
    """
    write_together({target: write}, overwrite=overwrite)


def write_together(
    writers: Mapping[str, Callable[[str], None]], *, overwrite: bool
) -> None:
    """Write files that belong together: all of them, or none.

    Parameters
    ----------
    writers : mapping of str to callable
        Name of each file, all in one folder -> what writes to the path that it is
        called with.
    overwrite : bool
        Replace files that exist now. What appears while these are written is kept.

    Raises
    ------
    ResultsError
        When one of them exists or cannot be written; all are then as before.
    """
    names = [checked_name(target) for target in writers]
    for target in names:
        if os.path.lexists(target) and not overwrite:
            raise already_exists(target)
    ends = [_where_it_leads(target) for target in names]
    folder = os.path.dirname(os.path.abspath(ends[0].path))
    with _failures_told(names[0]), _scratch_folder(folder) as scratch:
        new, old = (os.path.join(scratch, name) for name in ("new", "old"))
        os.mkdir(new)
        os.mkdir(old)
        parts = [os.path.join(new, os.path.basename(name)) for name in names]
        for write, part in zip(writers.values(), parts, strict=True):
            write(part)
            _flush_to_disk(part)
        _exchange(dict(zip(parts, ends, strict=True)), old)
        _flush_to_disk(folder)


def save_together(savers: Mapping[str, Callable[[str], object]]) -> None:
    """Save new files that belong together, wherever they go: all of them, or none.

    Parameters
    ----------
    savers : mapping of str to callable
        Name of each file -> what saves it under the path that it is called with, and
        what describes it into the same folder.

    Raises
    ------
    ResultsError
        When a name is taken, or one of them cannot be saved; there is none of them
        then.
    """
    for target in savers:
        refuse_existing(target)
    with ExitStack() as scratches:
        new: dict[str, str] = {}
        for target, save in savers.items():
            folder = os.path.dirname(os.path.abspath(target))
            with _failures_told(target):
                if folder not in new:
                    scratch = scratches.enter_context(_scratch_folder(folder))
                    new[folder] = os.path.join(scratch, "new")
                    os.mkdir(new[folder])
                try:
                    save(os.path.join(new[folder], os.path.basename(target)))
                except ResultsError as error:
                    shown = os.path.join(os.path.dirname(target), "")
                    hidden = os.path.join(new[folder], "")
                    raise ResultsError(str(error).replace(hidden, shown)) from error
        parts = {
            os.path.join(scratch, name): _End(os.path.join(folder, name), False)
            for folder, scratch in new.items()
            for name in sorted(os.listdir(scratch))
        }
        with _failures_told(", ".join(savers)):
            # Nothing is replaced, so nothing is kept beside.
            _exchange(parts, "")
            for folder in new:
                _flush_to_disk(folder)


class _End(NamedTuple):
    """Where a file goes, and whether there was one when it was asked for."""

    path: str
    replaces: bool


def _where_it_leads(target: str) -> _End:
    """Follow a link, and refuse what no file can take the place of."""
    path = os.path.realpath(target) if os.path.islink(target) else target
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return _End(path, False)  # Whoever writes there says what is wrong.
    if not stat.S_ISREG(mode):
        raise ResultsError(f"{target} is no file to replace. Choose another name.")
    return _End(path, True)


def _exchange(parts: Mapping[str, _End], old: str) -> None:
    """Put new files in their places, or leave all as they were."""
    done: list[tuple[str, str | None]] = []
    try:
        for part, (end, replaces) in parts.items():
            if replaces and os.path.lexists(end):
                aside = os.path.join(old, str(len(done)))
                _keep_beside(end, aside)
                done.append((end, aside))
                os.replace(part, end)
            else:
                _give_name(part, end)
                done.append((end, None))
    except BaseException:
        for end, before in reversed(done):
            if before is not None:
                os.replace(before, end)
            else:
                with suppress(FileNotFoundError):
                    os.remove(end)
        raise


def _keep_beside(path: str, aside: str) -> None:
    """Keep a file under a second name, and never take its first one from it."""
    try:
        os.link(path, aside)
    except OSError:
        shutil.copy2(path, aside)


def _give_name(part: str, end: str) -> None:
    """Give a file its name, unless there is anything of that name."""
    try:
        if sys.platform == "win32":
            os.rename(part, end)
            return
        try:
            os.link(part, end)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # Takes the name or fails, too; for a moment an empty file has it.
            os.close(os.open(end, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.replace(part, end)
    except FileExistsError:
        raise already_exists(end) from None


@contextmanager
def _failures_told(target: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(f"{target} cannot be written: {error.strerror}.") from error


@contextmanager
def _scratch_folder(folder: str) -> Iterator[str]:
    """Make a folder that nobody else uses, and take it away whatever happens."""
    sweep_leftovers(folder)
    name = f".saving-nnr-{_HOST}-{os.getpid()}-{secrets.token_hex(8)}"
    scratch = os.path.join(folder, name)
    # Only its owner may look into it.
    os.mkdir(scratch, 0o700)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def is_scratch(name: str) -> bool:
    """Tell whether a name is one under which this package writes."""
    return _SCRATCH.fullmatch(name) is not None


def sweep_leftovers(folder: str) -> None:
    """Take away what processes that were killed had begun to write into a folder.

    Only what has a name of ours, made on this machine by a process that is gone.
    """
    try:
        names = os.listdir(folder)
    except OSError:
        return  # Whoever writes there says what is wrong.
    for name in names:
        found = _SCRATCH.fullmatch(name)
        path = os.path.join(folder, name)
        if found is None or found["host"] != _HOST or os.path.islink(path):
            continue
        if not _may_be_at_work(int(found["process"]), path):
            shutil.rmtree(path, ignore_errors=True)


def _may_be_at_work(process: int, path: str) -> bool:
    """Tell whether a process may still write to a folder."""
    try:
        if sys.platform == "win32":
            return time.time() - os.stat(path).st_mtime < _FORGOTTEN_AFTER
        os.kill(process, 0)  # Asks only.
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _flush_to_disk(path: str) -> None:
    """Wait until a file, or the names in a folder, would survive a power cut."""
    is_folder = os.path.isdir(path)
    if is_folder and sys.platform == "win32":
        return  # There a folder cannot be opened.
    try:
        handle = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    except OSError:
        if is_folder:
            return  # One may be allowed to write into what one may not list.
        raise
    try:
        os.fsync(handle)
    except OSError as error:
        # Not every file system can; one that is full or broken says another thing.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(handle)


def write_text(target: str, text: str, *, overwrite: bool) -> None:
    """Write a text as `write_whole` does, in UTF-8, with the line ends that it has.

    Parameters
    ----------
    target, overwrite
        As for `write_whole`.

    Raises
    ------
    ResultsError
        When the file exists, or it cannot be written.
    """
    write_whole(target, lambda partial: put_text(partial, text), overwrite=overwrite)


def put_text(path: str, text: str) -> None:
    """Write a text to a file that nobody reads yet.

    Parameters
    ----------
    path : str
        In a folder of `write_folder`, or as `write_whole` gives it.
    text : str
        Line ends stay what they are on every system.
    """
    with open_for_text(path) as file:
        file.write(text)


def open_for_text(path: str) -> TextIO:
    r"""Open a file for text of ours: UTF-8, whatever the text holds.

    Half a letter, as names of files hold, is written as ``\udce9``: in JSON that is the
    letter itself, so that a path can be read back.

    Parameters
    ----------
    path : str
        As for `put_text`.

    Returns
    -------
    text file
        To be closed.
    """
    return open(path, "w", encoding=_CODING, errors=_NO_LETTER, newline="")


def text_bytes(text: str) -> bytes:
    """Return what `put_text` writes for a text."""
    return text.encode(_CODING, _NO_LETTER)


def write_folder(
    target: str, write: Callable[[str], object], *, over_empty: bool = False
) -> None:
    """Write a new folder under another name, and give it its own when it is whole.

    Parameters
    ----------
    target : str
        Its name; nothing may be there.
    write : callable
        Fills the folder that it is called with.
    over_empty : bool
        Whether a folder may be there that holds nothing.

    Raises
    ------
    ResultsError
        When something is there, also while it is written, or it cannot be written.
    """
    target = os.path.abspath(checked_name(target))
    with _failures_told(target):
        there = over_empty and os.path.isdir(target) and not os.listdir(target)
        if os.path.lexists(target) and not there:
            raise already_exists(target)
        end = os.path.realpath(target) if there else target
        parent = os.path.dirname(end)
        with _scratch_folder(parent) as scratch:
            # Not the scratch folder itself: only its owner may look into that.
            partial = os.path.join(scratch, os.path.basename(end))
            os.mkdir(partial)
            write(partial)
            for path, _, names in os.walk(partial):
                for name in names:
                    _flush_to_disk(os.path.join(path, name))
                _flush_to_disk(path)
            _give_folder_name(partial, end, there)
            _flush_to_disk(parent)


def _give_folder_name(partial: str, end: str, there: bool) -> None:
    """Give a folder its name, unless anything but an empty folder has it."""
    if not there:
        try:
            # The name is ours from here on, and a folder takes that of an empty one.
            os.mkdir(end)
        except FileExistsError:
            raise already_exists(end) from None
    try:
        if sys.platform == "win32":
            os.rmdir(end)
        os.rename(partial, end)
    except OSError as error:
        if not there:
            with suppress(OSError):
                os.rmdir(end)
        if error.errno in _TAKEN:
            raise already_exists(end) from None
        raise
