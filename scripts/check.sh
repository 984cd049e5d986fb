#!/usr/bin/env bash
# What shows within 90 seconds whether a change broke something: style, types, arrows,
# manifest, and the tests that are not slow and open no window.
set -euo pipefail
bin=$1
. scripts/steps.sh

tests() { in_parallel -m "not slow and not viewer"; }

beside style types arrows manifest
here tests
finish
