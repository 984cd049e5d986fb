# shellcheck shell=bash
# For check.sh and test.sh: a step is a function of that name. It runs with its output
# kept in build/log, and its seconds are told at the end.
log=build/log
rm -rf "$log"
mkdir -p "$log"
# Else each of many processes compiles what it imports anew.
unset PYTHONDONTWRITEBYTECODE
names=() lane=
trap '[ -z "$lane" ] || kill -- "-$lane" 2>/dev/null || true' EXIT

# Runs steps one after the other, and goes on after one that fails.
in_turn() {
  local name start status
  for name in "$@"; do
    start=$SECONDS
    set +e
    (
      set -e
      "$name"
    ) </dev/null 2>&1 | output "$name"
    status=${PIPESTATUS[0]}
    set -e
    echo "$status $((SECONDS - start))" >"$log/$name.end"
  done
}

# Tests are watched, all else is only kept.
output() {
  case $1 in
  *tests) tee "$log/$1" ;;
  *) cat >"$log/$1" ;;
  esac
}

# Runs steps in turn, beside what follows; once.
beside() {
  names+=("$@")
  # A process group of its own, so that all of it can be ended.
  set -m
  in_turn "$@" &
  set +m
  lane=$!
}

# Runs steps in turn, and waits for them.
here() {
  names+=("$@")
  in_turn "$@"
}

# Waits for all steps; shows the output of those that failed and was not seen yet, and
# what the tests say at their end.
finish() {
  local name status seconds failed=0
  wait "$lane" || true
  lane=
  for name in "${names[@]}"; do
    read -r status seconds <"$log/$name.end"
    [ "$status" != 0 ] || continue
    failed=1
    printf '\n== %s failed\n' "$name"
    case $name in *tests) ;; *) cat "$log/$name" ;; esac
  done
  printf '\n== %s s in all\n' "$SECONDS"
  for name in "${names[@]}"; do
    read -r status seconds <"$log/$name.end"
    [ "$status" = 0 ] && status=good || status=FAILED
    printf '%-9s %4d s  %s\n' "$name" "$seconds" "$status"
  done
  for name in "${names[@]}"; do
    case $name in *tests) tail -n 1 "$log/$name" ;; esac
  done
  return "$failed"
}

# --- the steps that both have ----------------------------------------------------------

style() {
  "$bin/ruff" format --check .
  "$bin/ruff" check .
}

types() { "$bin/mypy"; }

arrows() { "$bin/lint-imports" --no-cache; }

manifest() {
  "$bin/npe2" validate napari-neurosynth-results --imports
  [ "$(readlink napari.yaml)" = src/napari_neurosynth_results/napari.yaml ]
}

# Runs the tests in as many processes as there are processors. With one that crashed
# the run ends: pytest-xdist would wait for another without end.
in_parallel() {
  scripts/with-display.sh "$bin/python" -m pytest -n logical --maxprocesses 8 \
    --max-worker-restart 0 "$@"
}
