"""A table for a paper as text: Markdown, LaTeX (booktabs) and HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from napari_neurosynth_results.export.escaping import (
    for_html,
    for_latex,
    for_markdown,
    plain_text,
)
from napari_neurosynth_results.export.tables.paper import Line, PaperTable

#: Columns of texts; the others hold numbers.
_TEXTS = 2
_STYLE = """
table { border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; }
caption { text-align: left; padding-bottom: 0.5em; max-width: 60em; }
th { border-bottom: 1px solid; }
th, td { padding: 0.15em 0.6em; text-align: right; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
tr.sub-peak td:first-child { padding-left: 2em; }
""".strip()


def as_markdown(table: PaperTable, origin: str) -> str:
    """Write a table in Markdown.

    Parameters
    ----------
    origin : str
        Where it comes from, for a comment.

    Returns
    -------
    str
        The caption, and a table with pipes.
    """
    n = len(table.columns)
    rule = [":--"] * _TEXTS + ["--:"] * (n - _TEXTS)
    rows = [_row(map(for_markdown, table.columns)), _row(rule)]
    rows += [_row(_indented(line, for_markdown, "&emsp;")) for line in table.lines]
    # What ends a comment cannot be in it.
    told = re.sub("-{2,}|[<>]", "-", plain_text(origin))
    return (
        f"<!-- {told} -->\n\n**Table.** {for_markdown(table.caption)}\n\n"
        + "\n".join(rows)
        + "\n"
    )


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _indented(line: Line, escape: Callable[[str], str], indent: str) -> list[str]:
    """Escape the cells of a row; a sub-peak stands below its peak."""
    cells = [escape(cell) for cell in line.cells]
    if line.is_sub_peak:
        cells[0] = f"{indent}{cells[0]}"
    return cells


def _latex_head(column: str) -> str:
    """Break a long head after its comma."""
    first, comma, rest = map(for_latex, column.partition(", "))
    return rf"\shortstack[r]{{{first},\\{rest}}}" if comma else first


def as_latex(table: PaperTable, origin: str) -> str:
    """Write a table in LaTeX, for the packages booktabs and graphicx.

    Parameters
    ----------
    origin : str
        Where it comes from, for a comment.

    Returns
    -------
    str
        A table environment.
    """
    n = len(table.columns)
    head = " & ".join(map(_latex_head, table.columns))
    rows = [
        " & ".join(_indented(line, for_latex, r"\quad ")) + r" \\"
        for line in table.lines
    ]
    lines = [
        f"% {plain_text(origin)}",
        r"% \usepackage{booktabs,graphicx}; beyond Latin letters, XeLaTeX or LuaLaTeX",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{for_latex(table.caption)}}}",
        # Smaller where it would be wider than the page or column, as it is.
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{'l' * _TEXTS}{'r' * (n - _TEXTS)}}}",
        r"\toprule",
        rf"{head} \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def as_html(table: PaperTable, origin: str) -> str:
    """Write a table as a page of its own, without scripts or anything from elsewhere.

    Parameters
    ----------
    origin : str
        Where it comes from, for the head of the page.

    Returns
    -------
    str
        HTML 5.
    """
    head = "".join(f'<th scope="col">{for_html(name)}</th>' for name in table.columns)
    rows = []
    for line in table.lines:
        cells = "".join(f"<td>{for_html(cell)}</td>" for cell in line.cells)
        kind = ' class="sub-peak"' if line.is_sub_peak else ""
        rows.append(f"<tr{kind}>{cells}</tr>")
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><title>Clusters</title>',
        f'<meta name="generator" content="{for_html(origin)}">',
        f"<style>\n{_STYLE}\n</style></head>",
        "<body>",
        "<table>",
        f"<caption>{for_html(table.caption)}</caption>",
        f"<thead><tr>{head}</tr></thead>",
        "<tbody>",
        *rows,
        "</tbody>",
        "</table>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


#: How a table is written, by extension.
FORMATS: dict[str, Callable[[PaperTable, str], str]] = {
    ".md": as_markdown,
    ".tex": as_latex,
    ".html": as_html,
}
