"""What docs/safety.md promises: each test that it names is there, and broken files."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / "scripts" / "safety"
PACKAGE = ROOT / "src" / "napari_neurosynth_results"
PAGE = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
_NAMED = re.compile(r"`(tests/[\w/]+\.py): (test_\w+)`")
#: What reads without saying how much, and the only places that may: module -> call.
UNBOUNDED = {
    # Data of our own.
    ("anatomy/atlas.py", "json.loads"),
    ("anatomy/atlas.py", "read_text"),
    ("export/report/report.py", "read_text"),
    # What was made in this process.
    ("batch/output_folder.py", "json.loads"),
    # Here the bounds are.
    ("sources/placeholders.py", "json.loads"),
    ("sources/files/folder.py", "pd.read_csv"),
    ("sources/files/folder.py", "read(most)"),  # of a text file, in pieces
    ("sources/online/compose.py", "pd.read_csv"),
    ("sources/atlases/label_names.py", "ElementTree.XML"),
    # Voxels of maps, and a picture whose size is known: no files.
    ("maps/results.py", "read"),
    ("maps/voxel_cache.py", "read"),
    ("sources/online/remote_map.py", "read"),
    ("widgets/maps/description.py", "read"),
}
_READERS = {"read_text", "read_bytes", "readlines"}
_PARSERS = {
    *("json.load", "json.loads", "pd.read_csv", "pd.read_table", "pd.read_json"),
    *("np.load", "np.loadtxt", "np.genfromtxt", "pickle.load", "pickle.loads"),
    *("yaml.load", "yaml.safe_load", "tomllib.load", "scipy.io.loadmat", "loadmat"),
    *("ElementTree.parse", "ElementTree.XML", "ElementTree.fromstring"),
    *("eval", "exec", "nib.loadsave.load"),
}


def _reads(tree: ast.AST) -> Iterator[str]:
    """Find calls that read all there is, by what they are called."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        last = name.rpartition(".")[2]
        if name in _PARSERS:
            yield name
        elif (isinstance(node.func, ast.Attribute) and last in _READERS) or (
            last == "read" and not (node.args or node.keywords)
        ):
            yield last
        elif last == "read" and "most" in ast.unparse(node.args[0]).lower():
            yield "read(most)"  # sets all that memory aside: read_at_most does not


def test_every_test_that_the_page_names_is_there() -> None:
    named = _NAMED.findall(PAGE)
    assert len(named) > 50
    missing = [
        f"{path}: {test}"
        for path, test in named
        if f"def {test}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_every_module_that_the_page_names_is_there() -> None:
    modules = re.findall(r"`((?:\w+/)+\w+\.py)(?:: (\w+))?`", PAGE)
    missing = [
        f"{path}: {name}"
        for path, name in modules
        if not path.startswith("tests/")
        and name not in (PACKAGE / path).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_what_comes_in_is_read_with_bounds() -> None:
    found = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in PACKAGE.rglob("*.py")
        for name in _reads(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found - UNBOUNDED == set()
    assert UNBOUNDED - found == set(), "nobody reads so any more"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
@pytest.mark.parametrize("formats", ["images", "texts"])
def test_broken_files_are_read_or_refused(formats: str, tmp_path: Path) -> None:
    # A few of each format; docs/safety.md says what came of the whole run.
    told = tmp_path / "told.json"
    wanted = {"images": ["--texts", "0"], "texts": ["--images", "0"]}[formats]
    command = [sys.executable, str(SCRIPTS / "mutations.py"), *wanted]
    command += [f"--{formats}", "12", "--json", str(told)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = [one for one in json.loads(told.read_text()).values() if one["tried"]]
    assert len(found) >= {"images": 9, "texts": 20}[formats]
    assert all(one["tried"] == 12 and not one["faults"] for one in found)
    # Were all refused at the door, little would be known of what is behind it.
    said = [word for one in found for word in one["said"]]
    assert sum(word.startswith("read") for word in said) >= len(found) - 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_every_kind_of_fault_is_found() -> None:
    faults = {
        "os.kill(os.getpid(), 11)": "SIGSEGV",
        "raise IndexError('found')": "IndexError: found",
        "bytearray(2 << 30)": "MemoryError",
        "time.sleep(60)": "no answer in 1 s",
        "os._exit(0)": "without a word",
    }
    script = (
        "import json, os, sys, time, mutations as m\n"
        "found = {}\n"
        f"for what in {list(faults)}:\n"
        "    form = m.Format([], (), lambda folder: exec(what))\n"
        "    limits = m.Limits(256, 1.0)\n"
        "    found[what] = m.open_broken(form, {'a': b'x'}, limits).fault\n"
        "print(json.dumps(found))\n"
    )
    path = os.pathsep.join([str(SCRIPTS), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    found = json.loads(done.stdout)
    missed = {
        what: found[what] for what, kind in faults.items() if kind not in found[what]
    }
    assert missed == {}
