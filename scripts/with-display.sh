#!/usr/bin/env bash
# Runs a command with a display: the user's own, or a virtual one with software OpenGL.
set -euo pipefail
if [ "${NNR_OWN_DISPLAY:-}" = 1 ] && [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
  exec "$@"
fi
export LIBGL_ALWAYS_SOFTWARE=1
# A platform chosen for a desktop would bypass the virtual display.
unset WAYLAND_DISPLAY QT_QPA_PLATFORM
exec xvfb-run -a -s "-screen 0 1600x1200x24" "$@"
