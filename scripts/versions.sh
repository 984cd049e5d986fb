#!/usr/bin/env bash
# Runs the tests with the oldest versions that pyproject.toml allows, or with PySide6:
#   scripts/versions.sh oldest [PYTHON]
#   scripts/versions.sh pyside [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."
which=$1 python=${2:-python3}
venv=build/versions-$which

"$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet uv
install() { "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" "$@"; }
case $which in
oldest)
  install --resolution lowest-direct --editable '.[all,batch]'
  ;;
pyside)
  install --editable '.[figures,report,batch]' 'napari[pyside6]'
  "$venv/bin/python" -c 'import importlib.util as u; assert not u.find_spec("PyQt6")'
  ;;
*)
  echo "Which versions: oldest or pyside?" >&2
  exit 2
  ;;
esac
# Leaves what is there as it is.
install --group test
"$venv/bin/uv" pip list --python "$venv/bin/python" |
  grep -iE '^(napari|numpy|pandas|scipy|pyqt6|pyside6|dask) '
scripts/with-display.sh "$venv/bin/python" -m pytest -p no:cacheprovider \
  -n logical --maxprocesses 8 --max-worker-restart 0
