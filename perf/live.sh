#!/usr/bin/env bash
# The highest rates that an engine takes without loss, over a veth pair of its own; docs/BENCH.md.
#
# usage: perf/live.sh [--save] [options of `weir bench live`]
#
# --save keeps the result as perf/results/live-DATE.md and .json. With --state FILE, a run that was
# ended goes on. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
save=
if [ "${1:-}" = --save ]; then
    save=perf/results/live-$(date -u +%F)
    shift
fi
cargo build --release --locked --quiet -p weir --bin weir
weir=${CARGO_TARGET_DIR:-target}/release/weir
if [ -z "$save" ]; then
    exec "$weir" bench live "$@"
fi
"$weir" bench live "$@" --json --markdown "$save.md.part" >"$save.json"
{
    echo "# Rates without loss, and ages of packets"
    echo
    cat "$save.md.part"
} >"$save.md"
rm "$save.md.part"
cat "$save.md"
