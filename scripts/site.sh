#!/usr/bin/env bash
# Makes the site of the documentation in build/site; every example of the gallery runs.
set -euo pipefail
bin=$1

rm -rf build/site docs/gallery docs/generated
scripts/with-display.sh "$bin/sphinx-build" -W --keep-going -q -b html docs build/site
echo "The site is in build/site/index.html"
