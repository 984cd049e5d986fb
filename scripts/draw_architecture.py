"""Draw the rooms of the package and list what is in them, from the imports.

Writes docs/images/architecture.svg and the marked parts of docs/architecture.md. A test
compares both with what this would write now, so that neither can go stale:

    python scripts/draw_architecture.py

Nothing but Python's own library is needed, and nothing of the package is imported.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "napari_neurosynth_results"
SOURCES = ROOT / "src" / PACKAGE
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "images" / "architecture.svg"

#: Room -> the rooms that it imports from; the same for sub-rooms of one room.
Arrows = Mapping[str, Collection[str]]

# What is where, and who imports whom.


@cache
def modules() -> dict[str, Path]:
    """Return every module below the package itself: dotted name -> file."""
    found = {}
    for path in sorted(SOURCES.rglob("*.py")):
        parts = path.relative_to(SOURCES).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        if name:
            found[name] = path
    return found


@cache
def parsed(path: Path) -> ast.Module:
    """Return what is in a file; read once, because every part below asks."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported_by(path: Path) -> frozenset[str]:
    """Return the dotted names that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            # What is imported from a folder may be a module of it.
            found |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return frozenset(found)


def arrows_below(room: str) -> dict[str, set[str]]:
    """Return who imports whom among what lies beside each other in a room.

    Parameters
    ----------
    room : str
        Dotted name of a folder; empty for the package itself.

    Returns
    -------
    dict of str to set of str
        Every module and folder of the room, and what it imports of the others.
    """
    start = f"{room}." if room else ""
    ours = f"{PACKAGE}.{start}"
    inside = {name: path for name, path in modules().items() if name.startswith(start)}
    names = {name.removeprefix(start).split(".")[0] for name in inside}
    arrows: dict[str, set[str]] = {name: set() for name in sorted(names)}
    for name, path in inside.items():
        mine = name.removeprefix(start).split(".")[0]
        for other in imported_by(path):
            theirs = other.removeprefix(ours).split(".")[0]
            if other.startswith(ours) and theirs in names and theirs != mine:
                arrows[mine].add(theirs)
    return arrows


def reached(arrows: Arrows, start: str) -> set[str]:
    """Return all that can be reached from one along the arrows."""
    found: set[str] = set()
    waiting = list(arrows[start])
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting += arrows[name]
    return found


def floors_of(arrows: Arrows) -> list[list[str]]:
    """Return names by floors, the lowest first: each imports from below only.

    Names in a circle (which the contracts of import-linter forbid) share a floor.
    """
    beneath = {name: reached(arrows, name) for name in arrows}
    floor: dict[str, int] = {}
    # What reaches less is lower, or in the same circle.
    for name in sorted(arrows, key=lambda name: (len(beneath[name] - {name}), name)):
        lower = [other for other in beneath[name] if name not in beneath[other]]
        floor[name] = 1 + max((floor[other] for other in lower), default=-1)
    count = 1 + max(floor.values(), default=-1)
    return [[n for n in sorted(arrows) if floor[n] == level] for level in range(count)]


def needed_arrows(arrows: Arrows) -> list[tuple[str, str]]:
    """Leave out the arrows that follow from others: who may know whom at all."""
    needed = []
    for name, others in arrows.items():
        for other in sorted(others):
            between = (reached(arrows, third) for third in others if third != other)
            if not any(other in further for further in between):
                needed.append((name, other))
    return needed


def is_folder(name: str) -> bool:
    """Tell whether a dotted name is a folder of modules."""
    return (SOURCES / name.replace(".", "/")).is_dir()


def about(name: str) -> str:
    """Return the first sentence of a module or folder, as it says itself."""
    path = SOURCES / name.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(parsed(path)) or ""
    return text.split("\n\n")[0].replace("\n", " ")


# The picture: a box a room, an arrow where one needs another.

_WIDTH, _BOX, _GAP, _MARGIN = 980, 420, 60, 20
_LINE, _CHIP, _BETWEEN = 16, 24, 34
#: Of what a room knows of the screen: fill of its box, and the words for it.
_TINTS = {
    "qt": ("#fbe9d7", "knows Qt and napari"),
    "napari": ("#e3eefa", "knows napari"),
    "": ("#eef4ea", "knows neither"),
}


@dataclass(frozen=True)
class Box:
    """A room in the picture, placed."""

    name: str
    x: float
    y: float
    lines: list[str]
    floors: list[list[str]]

    @property
    def height(self) -> float:
        """Height in pixels, with all that is in the box."""
        return 34 + _LINE * len(self.lines) + _CHIP * len(self.floors)


def screen_of(room: str) -> str:
    """Return what a room knows of the screen: ``qt``, ``napari`` or nothing."""
    known = {
        other.split(".")[0]
        for name, path in modules().items()
        # The contracts let this one file write with Qt.
        if name.split(".")[0] == room and name != "viewer.napari_overlays"
        for other in imported_by(path)
    }
    if known & {"qtpy", "magicgui", "superqt"}:
        return "qt"
    return "napari" if "napari" in known else ""


def boxes() -> dict[str, Box]:
    """Place all rooms, the highest floor on top."""
    placed: dict[str, Box] = {}
    y: float = _MARGIN
    for floor in reversed(floors_of(arrows_below(""))):
        width = len(floor) * _BOX + (len(floor) - 1) * _GAP
        x = (_WIDTH - _GAP - width) / 2
        row = []
        for name in floor:
            below = arrows_below(name) if is_folder(name) else {}
            folders = {n for n in below if is_folder(f"{name}.{n}")}
            # Files between folders carry arrows too, but are not drawn.
            levels = [[n for n in level if n in folders] for level in floors_of(below)]
            shown = [level for level in reversed(levels) if level]
            lines = textwrap.wrap(about(name).replace("`", ""), 66)
            row.append(Box(name, x, y, lines, shown))
            x += _BOX + _GAP
        placed |= {box.name: box for box in row}
        y += max(box.height for box in row) + _BETWEEN
    return placed


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"{style}>{escape(text)}</text>'


def draw_box(box: Box) -> Iterator[str]:
    """Draw a room: its name, what it is, and its sub-rooms by floors."""
    fill = _TINTS[screen_of(box.name)][0]
    yield (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{_BOX}" height="{box.height:g}" '
        f'rx="6" fill="{fill}" stroke="#56606b"/>'
    )
    bold = ' font-weight="bold" font-size="15"'
    yield _text(box.x + 12, box.y + 21, box.name, bold)
    y = box.y + 24
    for line in box.lines:
        y += _LINE
        yield _text(box.x + 12, y - 2, line)
    for floor in box.floors:
        x = box.x + 12
        for name in floor:
            wide = 14 + 7.4 * len(name)
            yield (
                f'<rect x="{x:g}" y="{y + 6:g}" width="{wide:g}" height="18" rx="4" '
                'fill="#ffffff" stroke="#a6adb4"/>'
            )
            yield _text(x + 7, y + 19, name)
            x += wide + 6
        y += _CHIP


def draw_arrow(start: Box, end: Box, spread: float, gutter: float | None) -> str:
    """Draw an arrow from a box down to another; around the others by a gutter."""
    style = 'fill="none" stroke="#56606b" marker-end="url(#tip)"'
    if gutter is None:
        x = start.x + _BOX * spread
        # Straight down where both have room for it.
        to = min(max(x, end.x + _BOX * 0.2), end.x + _BOX * 0.8)
        way = f"M{x:g},{start.y + start.height:g} L{to:g},{end.y - 2:g}"
    else:
        side, top, low = start.x + _BOX, start.y + 20, end.y + 20
        way = f"M{side:g},{top:g} H{gutter:g} V{low:g} H{end.x + _BOX + 2:g}"
    return f'<path d="{way}" {style}/>'


def picture() -> str:
    """Return the whole picture as SVG."""
    arrows = arrows_below("")
    floor = {n: i for i, names in enumerate(floors_of(arrows)) for n in names}
    placed = boxes()
    shapes = [line for box in placed.values() for line in draw_box(box)]
    gutter = _WIDTH - _MARGIN
    needed = needed_arrows(arrows)
    for name in placed:
        near = [b for a, b in needed if a == name and floor[a] - floor[b] == 1]
        near.sort(key=lambda other: placed[other].x)
        for number, other in enumerate(near, 1):
            spread = number / (len(near) + 1)
            shapes.append(draw_arrow(placed[name], placed[other], spread, None))
        for other in (b for a, b in needed if a == name and floor[a] - floor[b] > 1):
            shapes.append(draw_arrow(placed[name], placed[other], 0, gutter))
            gutter -= 12
    y = max(box.y + box.height for box in placed.values()) + 34
    x: float = _MARGIN
    for fill, words in _TINTS.values():
        shapes.append(
            f'<rect x="{x:g}" y="{y - 11:g}" width="14" height="14" fill="{fill}" '
            'stroke="#56606b"/>'
        )
        shapes.append(_text(x + 20, y, words))
        x += 190
    height = y + _MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" '
        f'width="{_WIDTH}" height="{height:g}" font-family="sans-serif" '
        'font-size="12" fill="#1f2328">'
    )
    tip = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#56606b"/>'
        "</marker></defs>"
    )
    background = f'<rect width="{_WIDTH}" height="{height:g}" fill="#ffffff"/>'
    return "\n".join([head, tip, background, *shapes, "</svg>", ""])


# The lists in the page.


def rooms_table() -> str:
    """Return the rooms as a table, the highest first, and all that each imports."""
    arrows = arrows_below("")
    lines = ["| room | what it is | imports from |", "|---|---|---|"]
    for floor in reversed(floors_of(arrows)):
        for room in floor:
            others = ", ".join(f"`{other}`" for other in sorted(arrows[room]))
            lines.append(f"| `{room}` | {about(room)} | {others or 'nobody'} |")
    return "\n".join(lines)


def list_of(room: str) -> Iterator[str]:
    """List what is in a room: files first, then sub-rooms with their files."""
    names = arrows_below(room)
    folders = [name for name in names if is_folder(f"{room}.{name}")]
    for name in names:
        if name not in folders:
            yield f"- `{name}`: {about(f'{room}.{name}')}"
    for name in folders:
        yield f"- **`{name}/`** {about(f'{room}.{name}')}"
        for line in list_of(f"{room}.{name}"):
            yield f"  {line}"


def index() -> str:
    """Return every module with its first sentence, room by room."""
    parts = []
    for floor in reversed(floors_of(arrows_below(""))):
        for room in floor:
            if listed := list(list_of(room)) if is_folder(room) else []:
                parts.append("\n".join([f"### {room}", "", *listed]))
    return "\n\n".join(parts)


def files() -> dict[Path, str]:
    """Return what should be in the picture and the page now."""
    page = PAGE.read_text(encoding="utf-8")
    for name, text in (("rooms", rooms_table()), ("index", index())):
        begin, end = f"<!-- made: {name} -->\n", f"<!-- end of {name} -->\n"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"{PAGE} has no marks {begin.strip()} ... {end.strip()}")
        page = f"{before}{begin}\n{text}\n\n{end}{after}"
    return {PICTURE: picture(), PAGE: page}


def main() -> None:
    """Write what has changed, and say what."""
    for path, text in files().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"Wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
