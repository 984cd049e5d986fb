"""Check that a tag, the version wherever it is written, and the changelog agree.

python scripts/check_tag.py v1.2.3
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "napari_neurosynth_results" / "__init__.py"


def versions() -> dict[str, str]:
    """Return what each file says: its name -> the version, empty when it has none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = {"pyproject.toml": project["project"]["version"]}
    for path, pattern in (
        (PACKAGE, r'^__version__ = "(.+)"$'),
        (ROOT / "CITATION.cff", r"^version: (.+)$"),
        # The newest entry is the first; its date stands in brackets.
        (ROOT / "CHANGELOG.md", r"\A# Changelog\s+## (\S+) \(\d{4}-\d\d-\d\d\)$"),
    ):
        text = path.read_text(encoding="utf-8")
        match = re.search(pattern, text, re.MULTILINE)
        found[path.name] = match[1] if match else ""
    return found


def main(tag: str) -> int:
    """Say what does not agree; return how many files."""
    wrong = {name: said for name, said in versions().items() if f"v{said}" != tag}
    for name, said in wrong.items():
        print(f"{name}: {said or 'no version with a date'}, and the tag is {tag}")
    return len(wrong)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
