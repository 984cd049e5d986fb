"""Files that are whole or not there: nobody ever reads half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TextIO

from napari_neurosynth_results.errors import ResultsError


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
        For another extension.

    Examples
    --------
    >>> check_path("z.NII", [".nii"], "a map is saved as .nii")
    'z.NII'
    """
    target = os.fspath(path)
    name = os.path.basename(target).lower()
    if not any(name.endswith(one) and len(name) > len(one) for one in extensions):
        raise ResultsError(f"{target}: {refusal}.")
    return target


def already_exists(path: str | os.PathLike[str]) -> ResultsError:
    """Return the error that says that a name is not free."""
    return ResultsError(f"{os.fspath(path)} exists already. Choose another name.")


def write_whole(target: str, write: Callable[[str], None], *, overwrite: bool) -> None:
    """Write a file under another name, and give it its own when it is whole.

    Parameters
    ----------
    target : str
        Its name.
    write : callable
        Writes to the path that it is called with.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        When the file exists, or it cannot be written.
    """
    if os.path.exists(target) and not overwrite:
        raise already_exists(target)
    folder = os.path.dirname(os.path.abspath(target))
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as scratch:
            partial = os.path.join(scratch, os.path.basename(target))
            write(partial)
            os.replace(partial, target)
    except OSError as error:
        raise ResultsError(f"{target} cannot be written: {error.strerror}.") from error


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
        Replace files that exist.

    Raises
    ------
    ResultsError
        When one of them exists or cannot be written; all are then as before.
    """
    for target in writers:
        if os.path.lexists(target) and not overwrite:
            raise already_exists(target)
    first = next(iter(writers))
    folder = os.path.dirname(os.path.abspath(first))
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as scratch:
            new, old = (os.path.join(scratch, name) for name in ("new", "old"))
            os.mkdir(new)
            os.mkdir(old)
            for target, write in writers.items():
                write(os.path.join(new, os.path.basename(target)))
            _exchange(list(writers), new, old)
    except OSError as error:
        raise ResultsError(f"{first} cannot be written: {error.strerror}.") from error


def _exchange(targets: list[str], new: str, old: str) -> None:
    """Put new files in the place of old ones, or leave all as they were."""
    done: list[tuple[str, str | None]] = []
    try:
        for target in targets:
            name = os.path.basename(target)
            aside = os.path.join(old, name) if os.path.lexists(target) else None
            if aside is not None:
                os.replace(target, aside)
            done.append((target, aside))
            os.replace(os.path.join(new, name), target)
    except OSError:
        for target, aside in reversed(done):
            with suppress(FileNotFoundError):
                os.remove(target)
            if aside is not None:
                os.replace(aside, target)
        raise


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
    return open(path, "w", encoding="utf-8", errors="backslashreplace", newline="")


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
        When something is there, or it cannot be written.
    """
    target = os.path.abspath(target)

    def is_empty() -> bool:
        return over_empty and os.path.isdir(target) and not os.listdir(target)

    try:
        if os.path.lexists(target) and not is_empty():
            raise already_exists(target)
        with tempfile.TemporaryDirectory(
            dir=os.path.dirname(target), prefix=".saving-"
        ) as scratch:
            # Not the scratch folder itself: only its owner may look into that.
            partial = os.path.join(scratch, os.path.basename(target))
            os.mkdir(partial)
            write(partial)
            if is_empty():
                os.rmdir(target)
            elif os.path.lexists(target):
                # Renaming would replace an empty folder that came meanwhile.
                raise already_exists(target)
            os.rename(partial, target)
    except OSError as error:
        raise ResultsError(f"{target} cannot be written: {error.strerror}.") from error
