"""Files that are whole or not there: nobody ever reads half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable

from napari_neurosynth_results.errors import ResultsError


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
        raise ResultsError(f"{target} exists already. Choose another name.")
    folder = os.path.dirname(os.path.abspath(target))
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as scratch:
            partial = os.path.join(scratch, os.path.basename(target))
            write(partial)
            os.replace(partial, target)
    except OSError as error:
        raise ResultsError(f"{target} cannot be written: {error.strerror}.") from error


def write_folder(target: str, write: Callable[[str], object]) -> None:
    """Write a new folder under another name, and give it its own when it is whole.

    Parameters
    ----------
    target : str
        Its name; nothing may be there.
    write : callable
        Fills the folder that it is called with.

    Raises
    ------
    ResultsError
        When something is there, or it cannot be written.
    """
    target = os.path.abspath(target)
    taken = f"{target} exists already. Choose another name."
    if os.path.lexists(target):
        raise ResultsError(taken)
    try:
        with tempfile.TemporaryDirectory(
            dir=os.path.dirname(target), prefix=".saving-"
        ) as scratch:
            # Not the scratch folder itself: only its owner may look into that.
            partial = os.path.join(scratch, os.path.basename(target))
            os.mkdir(partial)
            write(partial)
            if os.path.lexists(target):
                # Renaming would replace an empty folder that came meanwhile.
                raise ResultsError(taken)
            os.rename(partial, target)
    except OSError as error:
        raise ResultsError(f"{target} cannot be written: {error.strerror}.") from error
