#!/usr/bin/env bash
# The highest rates that an engine takes without loss, over a veth pair of its own; docs/BENCH.md.
#
# usage: perf/live.sh [--save[=NAME]] [options of `weir bench live`]
#
# --save keeps the result as perf/results/live-DATE.md and .json, or live-NAME-DATE, once all of it is
# there and every frame is accounted for. With --state FILE, a run that was ended goes on. Needs root.
. "$(dirname "$0")/lib.sh"
save=
if [[ ${1:-} =~ ^--save(=([a-zA-Z0-9-]+))?$ ]]; then
    save=perf/results/live-${BASH_REMATCH[2]:+${BASH_REMATCH[2]}-}$today
    shift
fi
build -p weir --bin weir
[ -n "$save" ] || exec "$weir" bench live "$@"
"$weir" bench live "$@" --json --markdown "$out/live.md" >"$out/live.json"
{
    echo "# Rates without loss, and ages of packets"
    echo
    cat "$out/live.md"
} >"$save.md"
cp "$out/live.json" "$save.json"
cat "$save.md"
