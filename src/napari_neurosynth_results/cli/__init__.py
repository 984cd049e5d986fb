"""The command line: open a result in napari, or say what is in it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ("main",)

#: What a shell says of a process that Ctrl+C ended.
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Defaults to those of the process.

    Returns
    -------
    int
        0, or 1 when something could not be done, or 130 when it was stopped by Ctrl+C;
        the reason is on standard error.
    """
    try:
        # Here, because loading what commands need takes a second in which somebody may
        # think better of it.
        from napari_neurosynth_results.cli.program import run_program

        return run_program(arguments)
    except KeyboardInterrupt as stopped:
        # On a terminal ^C stands on the line already.
        begin = "\n" if sys.stderr.isatty() else ""
        print(f"{begin}Stopped. {stopped}".rstrip(" "), file=sys.stderr)
        return _INTERRUPTED
