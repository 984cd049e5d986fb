#!/usr/bin/env bash
# Runs a command with a display: the user's own, or a virtual one with software OpenGL.
set -euo pipefail
if [ "${NNR_OWN_DISPLAY:-}" = 1 ] && [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
  exec "$@"
fi
export LIBGL_ALWAYS_SOFTWARE=1 NNR_VIRTUAL_DISPLAY=1
# A platform chosen for a desktop would bypass the virtual display.
unset WAYLAND_DISPLAY QT_QPA_PLATFORM
# Several may look for a free number at once: each from a place of its own.
exec xvfb-run -a -n "$((100 + $$ % 30000))" -s "-screen 0 1600x1200x24" "$@"
