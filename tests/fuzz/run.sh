#!/usr/bin/env bash
# The fuzz targets under AddressSanitizer, FUZZ_SECONDS (60) each: `run.sh [TARGET...]`.
#
# They begin with the generated conversations and with every message that a unit test of the
# dissectors finds sound; what they find on the way stays in target/fuzz/corpus, and an input that
# fails in target/fuzz/TARGET-crash-…. A finding becomes a test case where it belongs.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${FUZZ_SECONDS:-60}
targets=("$@")
[ $# != 0 ] || targets=(web network session infra inspector metadata rules)
place=${CARGO_TARGET_DIR:-target}/fuzz
mkdir -p "$place/seeds"
place=$(realpath "$place")

find "$place/seeds" -name '*.tsv' -delete
WEIR_SEEDS=$place/seeds cargo test --locked --quiet -p weir-dpi --lib dissect >"$place/seeds.log" 2>&1 ||
    { cat "$place/seeds.log"; exit 1; }
WEIR_SEEDS=$place/seeds cargo run --locked --quiet -p weir-tests --bin fuzz-seeds -- "$place/given"

# What cargo-fuzz does, without needing it or another toolchain.
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares"
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$place \
    RUSTFLAGS="-Zsanitizer=address --cfg fuzzing $(echo $coverage)" \
    cargo build --release --locked --target "$host" --manifest-path tests/fuzz/Cargo.toml

failed=0
for target in "${targets[@]}"; do
    mkdir -p "$place/corpus/$target"
    log=$place/$target.log
    if "$place/$host/release/$target" -max_total_time="$seconds" -timeout=10 -max_len=16384 \
        -rss_limit_mb=2048 -artifact_prefix="$place/$target-" \
        "$place/corpus/$target" "$place/given/$target" >"$log" 2>&1
    then
        echo "$target: $(grep -a '^Done' "$log"), $(grep -aoE 'cov: [0-9]+' "$log" | tail -1)"
    else
        failed=1
        echo "$target: FAILED (the whole log: $log)"
        grep -aE -A12 'panicked at|ERROR:' "$log" | head -40 || true
    fi
done
exit $failed
