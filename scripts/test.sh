#!/usr/bin/env bash
# Everything that has to hold: style, types, arrows, manifest, site, the doctests of the
# source tree, and all tests, of the built wheel.
set -euo pipefail
bin=$1
. scripts/steps.sh

wheel() {
  rm -rf build/wheel
  mkdir -p build/wheel
  "$bin/python" -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
  "$bin/python" -m pip install --quiet --no-deps --target build/wheel/site \
    build/wheel/*.whl
}

site() { scripts/site.sh "$bin"; }

doctests() { scripts/with-display.sh "$bin/python" -m pytest src; }

tests() {
  export NNR_TEST_INSTALLED=$PWD/build/wheel/site PYTHONPATH=$PWD/build/wheel/site
  in_parallel tests
}

beside style types arrows manifest site
here wheel doctests tests
finish
