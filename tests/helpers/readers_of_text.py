"""Small readers of LaTeX and Markdown: what a typesetter would make of a text."""

from __future__ import annotations

import html
import re

#: Commands that escaped texts and tables use, and what they print.
_PRINTED = {
    "textbackslash": "\\",
    "textasciitilde": "~",
    "textasciicircum": "^",
    "textless": "<",
    "textgreater": ">",
    "textbar": "|",
    "leq": "≤",
    "geq": "≥",
    "quad": " ",
}
_COMMAND = re.compile(r"\\([A-Za-z]+)(\{\}| )?")
_SPECIALS = set("&%$#_{}~^")


def latex_to_text(source: str) -> str:
    """Print a piece of LaTeX; anything but escapes is an error."""
    printed, depth, at = [], 0, 0
    # A head in two lines.
    source = re.sub(r"^ ?\\shortstack\[r\]\{(.*),\\\\(.*)\} ?$", r"\1, \2", source)
    source = source.replace(r"\textsuperscript{3}", "³").replace("$-$", "\u2212")
    source = source.replace(r"$\leq$", r"\leq{}").replace(r"$\geq$", r"\geq{}")
    while at < len(source):
        character = source[at]
        if found := _COMMAND.match(source, at):
            assert found[1] in _PRINTED, f"an unknown command: {found[0]}"
            printed.append(_PRINTED[found[1]])
            at = found.end()
            continue
        if character == "\\":
            assert source[at + 1] in _SPECIALS, f"not an escape: {source[at:]}"
            printed.append(source[at + 1])
            at += 2
            continue
        if character in "{}":
            depth += 1 if character == "{" else -1
            assert depth >= 0, "a brace too many"
        else:
            assert character not in _SPECIALS, f"not escaped: {source[at:]}"
            printed.append(character)
        at += 1
    assert depth == 0, "a brace is missing"
    return "".join(printed)


def latex_rows(source: str) -> list[list[str]]:
    """Return the printed cells of a tabular's rows, the heading first."""
    inside = source[source.index("\\toprule") : source.index("\\bottomrule")]
    rows = []
    for line in inside.splitlines():
        if line in ("\\toprule", "\\midrule"):
            continue
        assert line.endswith(r" \\")
        cells = re.split(r"(?<!\\)&", line.removesuffix(r" \\"))
        rows.append([latex_to_text(cell).strip() for cell in cells])
    return rows


def markdown_to_text(source: str) -> str:
    """Print a piece of Markdown of which nothing may be markup."""
    printed, at = [], 0
    while at < len(source):
        if source[at] == "\\":
            printed.append(source[at + 1])
            at += 2
            continue
        assert source[at] not in "`*_[]<>|~", f"not escaped: {source[at:]}"
        if source[at] == "&":
            end = source.index(";", at) + 1
            printed.append(html.unescape(source[at:end]))
            at = end
            continue
        printed.append(source[at])
        at += 1
    return "".join(printed)


def markdown_rows(source: str) -> list[list[str]]:
    """Return the printed cells of a table's rows, the heading first."""
    lines = [line for line in source.splitlines() if line.startswith("|")]
    rows = []
    for line in [lines[0], *lines[2:]]:
        cells = re.split(r"(?<!\\)\|", line)[1:-1]
        rows.append([markdown_to_text(cell.strip()).strip() for cell in cells])
    return rows
