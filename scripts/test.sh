#!/usr/bin/env bash
# Everything that has to hold: style, types, arrows, manifest, tests, and the built wheel.
set -euo pipefail
bin=$1

step() { printf '\n== %s\n' "$1"; }

step "style"
"$bin/ruff" format --check .
"$bin/ruff" check .
step "types"
"$bin/mypy"
step "arrows"
"$bin/lint-imports" --no-cache
step "manifest"
"$bin/npe2" validate napari-neurosynth-results --imports
[ "$(readlink napari.yaml)" = src/napari_neurosynth_results/napari.yaml ]

step "site"
scripts/site.sh "$bin"

step "wheel"
rm -rf build/wheel
mkdir -p build/wheel
"$bin/python" -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
"$bin/python" -m pip install --quiet --no-deps --target build/wheel/site build/wheel/*.whl

# The source tree first; the wheel after it, without what only repeats itself slowly.
step "tests of the source tree"
scripts/with-display.sh "$bin/python" -m pytest
step "tests of the built wheel"
NNR_TEST_INSTALLED=$PWD/build/wheel/site PYTHONPATH=$PWD/build/wheel/site \
  scripts/with-display.sh "$bin/python" -m pytest tests -m "not slow"
