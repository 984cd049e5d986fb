"""Texts that others chose, made harmless for where they are written.

Titles come from servers, names from users, studies from databases. None of them may
become a formula of a spreadsheet, a command of LaTeX, a script of a page, a tag in a
window or an order to a terminal.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING

from napari_neurosynth_results.sources.files.safe_names import legible

if TYPE_CHECKING:
    import pandas as pd

#: A spreadsheet takes a cell that begins so for a formula, some the wide forms too.
_FORMULAS = "=+-@＝＋－＠"  # noqa: RUF001
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
#: What begins a cell where a spreadsheet was told of another separator than ours.
_CELL_INSIDE = re.compile(
    rf"(?P<end>[;,][\s\"]*)(?=[{re.escape(_FORMULAS)}])(?!{_NUMBER}\s*(?:[;,]|$))"
)
#: All that a terminal obeys, also to write from right to left. Lines and tabs are left,
#: and a return at the beginning, by which a line of progress is written anew.
_ORDERS = re.compile(
    r"(?!^\r)[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
#: What Qt may take for the beginning of a tag, or for a sign that there are some.
_TAGS = re.compile(r"<(?=\s*[!?/\w])|&(?=lt;)")
#: Has no width, and is no letter of a tag.
_NO_WIDTH = "\u200b"
#: Longer texts make a table unreadable, and longer lines a terminal.
_MOST, _MOST_OF_A_LINE = 200, 2000
# Braces around what would be an option or a star of the command before it.
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "[": "{[}",
        "]": "{]}",
        "*": "{*}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "≤": r"$\leq$",
        "≥": r"$\geq$",
        "−": "$-$",  # noqa: RUF001
        "³": r"\textsuperscript{3}",
    }
)
_MARKDOWN = str.maketrans(
    {character: f"\\{character}" for character in "\\`*_{}[]#!|~$^"}
    | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
)


def plain_text(text: str) -> str:
    r"""Put a text on one line, without characters that cannot be seen.

    >>> plain_text("two\nlines\x00, and \u202ea turn")
    'two lines, and a turn'
    """
    kept = []
    for character in legible(text):
        kind = unicodedata.category(character)
        if kind[0] == "Z" or character in "\t\n\r\v\f\x85":
            kept.append(" ")
        # Control and format characters may hide or turn what follows them.
        elif kind[0] != "C":
            kept.append(character)
    return " ".join("".join(kept).split())


def short_text(text: str) -> str:
    """Put a text on one line, cut where it would fill a page."""
    text = plain_text(text)
    return text if len(text) <= _MOST else f"{text[: _MOST - 1].rstrip()}…"


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
    line = " ".join(legible(text[: 4 * _MOST_OF_A_LINE]).split())
    line = "".join("?" if unicodedata.category(c)[0] == "C" else c for c in line)
    return line if len(line) <= _MOST_OF_A_LINE else f"{line[: _MOST_OF_A_LINE - 3]}..."


def for_spreadsheet(text: str) -> str:
    """Keep a text from being run by a spreadsheet, whatever separator it knows.

    >>> for_spreadsheet("=cmd()"), for_spreadsheet("a;=cmd()")
    ("'=cmd()", "a;'=cmd()")
    >>> for_spreadsheet("insula R, 38, -4, 2")
    'insula R, 38, -4, 2'
    """
    text = _CELL_INSIDE.sub(r"\g<end>'", plain_text(text))
    return f"'{text}" if text.startswith(tuple(_FORMULAS)) else text


def harmless_cell(value: object) -> object:
    """Return what stands in a cell; a text as `for_spreadsheet` gives it."""
    return for_spreadsheet(value) if isinstance(value, str) else value


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of a table whose texts, titles too, no spreadsheet runs."""
    from pandas.api.types import is_numeric_dtype

    table = table.copy()
    for column in table.columns:
        if not is_numeric_dtype(table[column]):
            table[column] = table[column].map(harmless_cell)
    return table.rename(columns=harmless_cell)


def for_terminal(text: str) -> str:
    r"""Write a text so that a terminal shows it and obeys nothing in it.

    >>> for_terminal("pain \x1b[2J\n")
    'pain \\x1b[2J\n'
    """
    return _ORDERS.sub(lambda found: ascii(found[0])[1:-1], text)


def for_qt(text: str) -> str:
    r"""Write a text so that Qt shows it, wherever Qt guesses whether it is HTML.

    Labels, tooltips, headers and the notifications of napari guess; a tag among names
    would be obeyed, and open files. A sign without width takes the tag apart.

    >>> ascii(for_qt("<img src=x>, p <= .001"))
    "'<\\u200bimg src=x>, p <= .001'"
    """
    return _TAGS.sub(rf"\g<0>{_NO_WIDTH}", text)


def for_latex(text: str) -> str:
    r"""Write a text so that LaTeX prints it.

    >>> for_latex(r"R&D \input{x}, 50 %")
    'R\\&D \\textbackslash{}input\\{x\\}, 50 \\%'
    """
    return plain_text(text).translate(_LATEX)


def for_html(text: str) -> str:
    """Write a text so that a page shows it.

    >>> for_html("<script>")
    '&lt;script&gt;'
    """
    return html.escape(plain_text(text), quote=True)


def for_markdown(text: str) -> str:
    r"""Write a text so that Markdown shows it, in a cell of a table too.

    >>> for_markdown("a | b <i>")
    'a \\| b &lt;i&gt;'
    """
    return plain_text(text).translate(_MARKDOWN)
