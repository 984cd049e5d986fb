#!/usr/bin/env bash
# Opens the sample; with no display, draws the same scene to a picture and says where.
set -euo pipefail
bin=$1
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || [ "$(uname)" = Darwin ]; then
  exec "$bin/napari-neurosynth-results" open --sample
fi
echo "There is no display: drawing the scene off-screen."
rm -f demo.png
scripts/with-display.sh "$bin/napari-neurosynth-results" open --sample --screenshot demo.png
