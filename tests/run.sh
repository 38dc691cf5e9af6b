#!/usr/bin/env bash
# Every test of the workspace, then one line: N passed, N failed, N skipped.
#
# A test that cannot run here (no root, no AF_XDP, no corpus) prints `SKIPPED <test>: <reason>`;
# those lines are shown and counted, so a skip never looks like a pass.
set -uo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
log=$target/test.log

# The dissectors' unit tests leave their messages here; tests/tests/robust.rs damages them.
export WEIR_SEEDS=$target/seeds
rm -rf "$WEIR_SEEDS" && mkdir -p "$WEIR_SEEDS"
WEIR_SEEDS=$(realpath "$WEIR_SEEDS")

cargo test --workspace --locked --no-fail-fast "$@" -- --nocapture >"$log" 2>&1
status=$?

grep -aE '^ +(Running|Doc-tests) |^test result:' "$log" || true
skips=$(grep -aoE 'SKIPPED [^:]+: .*' "$log" | sort -u || true)
[ -z "$skips" ] || printf '%s\n' "$skips"
read -r passed failed < <(awk '/^test result:/ { p += $4; f += $6 } END { print p + 0, f + 0 }' "$log")
if [ "$status" != 0 ]; then
    echo "--- what failed (the whole log: $log)"
    grep -aE -A25 "^error|panicked at|^failures:|could not compile|SIGSEGV|SIGABRT" "$log" | tail -150
    [ "$failed" != 0 ] || failed=1
fi
skipped=0
[ -z "$skips" ] || skipped=$(printf '%s\n' "$skips" | wc -l)
# A test that was skipped returned without failing: it is not counted as passed too.
passed=$((passed > skipped ? passed - skipped : 0))
echo "$passed passed, $failed failed, $skipped skipped"
[ "$status" = 0 ] && [ "$passed" != 0 ]
