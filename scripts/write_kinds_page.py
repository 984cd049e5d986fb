"""Write docs/kinds.md: what a name is taken for, and how to say otherwise.

Made of the table that the package reads names by (maps/programs.tsv) and of that of
kinds. A test compares the page with what this would write now:

    python scripts/write_kinds_page.py
"""

from __future__ import annotations

import re
from pathlib import Path

from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.programs import (
    NameRow,
    Reading,
    name_rows,
    reading_of,
)

PAGE = Path(__file__).resolve().parents[1] / "docs" / "kinds.md"

#: The parts of the page that are written, each between two comments.
_PART = re.compile(r"(<!-- (kinds|names):[^>]*-->\n\n).*?(\n<!-- end -->)", re.S)
_COLUMNS = "program, file name, kind, tail, correction, first threshold, to know"


def page() -> str:
    """Return the text of the page, with both tables as they are now."""
    titles = _COLUMNS.split(", ")
    head = f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}\n"
    tables = {
        "kinds": "| kind | what the numbers are |\n|---|---|\n"
        + "".join(f"| `{kind}` | {kind.meaning} |\n" for kind in MapKind),
        "names": head + "".join(map(_line, name_rows())),
    }
    text = PAGE.read_text(encoding="utf-8")
    return _PART.sub(lambda part: part[1] + tables[part[2]] + part[3], text)


def _line(row: NameRow) -> str:
    told = reading_of(row.example)
    kind = str(told.kind) if row.kind or told.name else "by its header"
    correction = told.correction or (told.name.correction if told.name else None)
    level = told.level or (told.name.level if told.name else None)
    correction = correction or ("none" if told.name and told.kind.row.has_p else "-")
    if correction in ("FWE", "FDR") and level:
        correction = f"{correction}, {level}"
    tail = str(told.tail) if told.tail else "-"
    if told.name:
        tail = "measured"
    if not told.kind.has_tail:
        tail = "none"
    cells = (
        row.program,
        f"`{row.example}`",
        kind,
        tail,
        f"thresholded by {told.cut}" if told.cut else correction,
        _first_threshold(told, correction),
        told.note,
    )
    return f"| {' | '.join(cells)} |\n"


def _first_threshold(told: Reading, correction: str) -> str:
    kind, cut = told.kind, told.cut
    if not kind.row.criteria:
        return "none"
    if cut and not kind.row.small_is_strong:
        return "all that is left"
    if kind.row.shown_whole:
        return "the whole range"
    if not kind.row.has_p:
        return "strongest 5 %"
    alpha = ".05" if correction.startswith(("FWE", "FDR")) else ".001"
    p = {"FDR": "q", "FWE": "p_FWE"}.get(correction[:3], "p")
    if kind.row.p.n_dof and (told.name is None or told.name.dof is None):
        return f"{p} <= {alpha} where its dof are known, else strongest 5 %"
    return f"{p} <= {alpha}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
