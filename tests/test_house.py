"""The limits of the house: small files, few in a folder, one name for one thing."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
NAME = "napari_neurosynth_results"
PACKAGE = ROOT / "src" / NAME
FOLDERS = ("src", "tests", "benchmarks", "scripts")
MOST_MODULES = 215
MOST_FILES = 12
MOST_LINES = 600
#: Tests of the package as a whole, and of the servers that other tests ask.
OF_THE_WHOLE = {
    *("architecture", "benchmarks_page", "docs", "house", "package", "schedule"),
    *("local_servers", "local_servers_faults", "safety"),
}


def module_of(path: Path) -> str:
    """Return the name by which a file of the package is imported."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def python_files() -> list[Path]:
    return [path for name in FOLDERS for path in sorted((ROOT / name).rglob("*.py"))]


# --- size -----------------------------------------------------------------------------


def test_the_package_has_few_modules() -> None:
    assert len([m for m in MODULES.values() if m.stem != "__init__"]) <= MOST_MODULES


def test_a_folder_has_few_files() -> None:
    counts = Counter(path.parent for path in python_files() if path.stem != "__init__")
    assert {str(f): n for f, n in counts.items() if n > MOST_FILES} == {}


def test_a_file_is_read_in_one_go() -> None:
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for path in python_files()
    }
    assert {path: n for path, n in lines.items() if n > MOST_LINES} == {}


# --- places ---------------------------------------------------------------------------


def test_tests_lie_where_the_modules_lie() -> None:
    misplaced = []
    tests = ROOT / "tests"
    for path in sorted(tests.rglob("test_*.py")):
        stem = path.stem.removeprefix("test_")
        if path.parent == tests:
            found = stem in OF_THE_WHOLE
        else:
            folder = PACKAGE / path.parent.relative_to(tests)
            known = {module.stem for module in folder.glob("*.py")}
            known |= {below.name for below in folder.glob("[!_]*/")} | {folder.name}
            found = folder.is_dir() and any(
                f"{stem}_".startswith(f"{name}_") for name in known
            )
        if not found:
            misplaced.append(str(path.relative_to(ROOT)))
    assert misplaced == []


# --- names ----------------------------------------------------------------------------


def defined_in(module: str) -> set[str]:
    """Return the public names that a module defines at its top, not what it imports."""
    found: set[str] = set()
    for node in tree_of(module).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Assign(targets=targets):
                found |= {
                    part.id
                    for target in targets
                    for part in ast.walk(target)
                    if isinstance(part, ast.Name)
                }
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return {name for name in found if not name.startswith("_")}


def test_a_name_means_one_thing() -> None:
    homes = defaultdict(list)
    for module in MODULES:
        for name in defined_in(module):
            homes[name].append(module.removeprefix(f"{NAME}."))
    twice = {name: where for name, where in homes.items() if len(where) > 1}
    assert twice == {}


# --- imports --------------------------------------------------------------------------


def imports_in(nodes: Iterable[ast.AST], deferred: bool) -> Iterator[str]:
    """Find what is imported from the package, but for what only types need."""
    for node in nodes:
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from imports_in(node.orelse, deferred)
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(home), names=names, level=0):
                for alias in names:
                    inner = f"{home}.{alias.name}"
                    yield inner if inner in MODULES else home
            case ast.FunctionDef() | ast.Lambda() if not deferred:
                pass
            case _:
                yield from imports_in(ast.iter_child_nodes(node), deferred)


@cache
def graph(deferred: bool) -> dict[str, set[str]]:
    """Return which modules each imports: at once, or also later in a function."""
    return {
        module: {
            other
            for other in imports_in(tree_of(module).body, deferred)
            if other in MODULES and other != module
        }
        for module in MODULES
    }


def reached(starts: Iterable[str], arrows: dict[str, set[str]]) -> set[str]:
    """Return all modules that imports lead to, the starts and their folders too."""
    found: set[str] = set()
    waiting = [*starts]
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        waiting.extend(arrows[module])
        above = module.rpartition(".")[0]
        waiting.extend([above] if above in MODULES else [])
    return found


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules in which each leads to each other."""

    def ahead(start: str) -> set[str]:
        found: set[str] = set()
        waiting = [*arrows[start]]
        while waiting:
            if (module := waiting.pop()) not in found:
                found.add(module)
                waiting.extend(arrows[module])
        return found

    far = {module: ahead(module) for module in arrows}
    groups = {
        tuple(sorted(other for other in far[module] if module in far[other]))
        for module in arrows
        if module in far[module]
    }
    return [list(group) for group in sorted(groups)]


@pytest.mark.parametrize("deferred", [False, True], ids=["at once", "later too"])
def test_no_import_leads_back(deferred: bool) -> None:
    assert circles(graph(deferred)) == []


def test_every_module_is_reached() -> None:
    """From the API, the command line, the manifest, or a name that others import."""
    text = (PACKAGE / "napari.yaml").read_text(encoding="utf-8")
    commands = yaml.safe_load(text)["contributions"]["commands"]
    starts = {command["python_name"].partition(":")[0] for command in commands}
    starts |= {f"{NAME}.{home}" for home in lazy_homes()}
    # Its path is promised.
    starts |= {f"{NAME}.cli", f"{NAME}.sources.addresses"}
    starts |= {module for module in MODULES if module.endswith(".__main__")}
    assert starts <= set(MODULES)
    assert set(MODULES) - reached(starts, graph(deferred=True)) == set()


def lazy_homes() -> set[str]:
    """Return the modules from which the package hands its names out."""
    import napari_neurosynth_results as nnr

    return set(nnr._HOMES.values())
