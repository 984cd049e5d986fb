#!/usr/bin/env bash
# Builds sdist and wheel into dist, and uses the wheel in a clean environment as a user
# would: scripts/release.sh [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
venv=$PWD/build/release

rm -rf dist "$venv"
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet build twine
# The wheel is made from the sdist: what the one lacks, the other lacks.
"$venv/bin/python" -m build --outdir dist .
"$venv/bin/twine" check --strict dist/*

"$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet "$(ls "$PWD"/dist/*.whl)[all]"
"$venv/bin/npe2" validate napari-neurosynth-results --imports

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
show=$PWD/scripts/with-display.sh
# Away from the sources, so that nothing but the wheel is found.
cd "$scratch"
run="$venv/bin/napari-neurosynth-results"
cp -r "$("$venv/bin/python" -c '
from napari_neurosynth_results.sample import sample_folder
print(sample_folder())')" pain
"$run" info pain
"$run" clusters pain --map z --p .001 --min-voxels 10 --regions --studies --out t.md
"$run" compare pain::z pain::z_level-voxel_corr-FWE_method-montecarlo --out compared
"$run" report pain --out answer
"$run" batch pain --map z --p .001 --out many
"$show" "$run" open pain --view coronal --screenshot seen.png
test -s t.md -a -s compared/comparison.png -a -s answer/report.html -a -s seen.png
echo "dist is good."
