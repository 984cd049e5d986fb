#!/usr/bin/env bash
# Makes a virtual environment with everything that demo and test need, and the system
# libraries behind Qt where they are missing and may be installed.
set -euo pipefail
venv=$1

# What Qt's xcb plugin and software OpenGL load, and a virtual display, on Debian.
packages=(
  xvfb libegl1 libgl1 libgl1-mesa-dri libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4
  libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0
  libdbus-1-3 libfontconfig1 libglib2.0-0 fonts-dejavu-core
)

install() {
  local command="apt-get install -y --no-install-recommends $*"
  if [ "$(id -u)" = 0 ]; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive $command
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive $command
  else
    echo "These system packages are missing, and this user may not install them. Run:" >&2
    echo "    sudo apt-get update && sudo $command" >&2
    return 1
  fi
}

if command -v dpkg-query >/dev/null; then
  missing=()
  for package in "${packages[@]}"; do
    # Newer releases rename some (libglib2.0-0t64): what provides the name counts.
    dpkg-query -W -f='${db:Status-Status}\n' "$package" "${package}t64" 2>/dev/null |
      grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] || install "${missing[@]}"
fi

python=
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "Python 3.11 or newer is needed. On Debian: sudo apt-get install python3" >&2
  exit 1
fi
"$python" -c 'import ensurepip' 2>/dev/null || install python3-venv

"$python" -m venv --clear "$venv"
# Dependency groups need pip 25.1.
"$venv/bin/python" -m pip install --quiet --upgrade 'pip>=25.1'
"$venv/bin/python" -m pip install --quiet --editable '.[all]' --group test --group check --group docs
