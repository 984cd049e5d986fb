"""Texts that others chose, as one harmless line for tables, pages and terminals."""

from __future__ import annotations

import unicodedata

_MOST_OF_A_LINE = 2000


def one_line(text: str) -> str:
    r"""Return a text on one line, without control characters.

    Parameters
    ----------
    text : str
        Anything that a file or a server gave.

    Returns
    -------
    str
        At most 2000 characters; what a terminal would obey is a question mark.

    Examples
    --------
    >>> one_line("pain:\n  ALE \x1b[2J")
    'pain: ALE ?[2J'
    """
    line = " ".join(text[: 4 * _MOST_OF_A_LINE].split())
    line = "".join("?" if unicodedata.category(c)[0] == "C" else c for c in line)
    return line if len(line) <= _MOST_OF_A_LINE else f"{line[: _MOST_OF_A_LINE - 3]}..."
