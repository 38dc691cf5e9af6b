#!/usr/bin/env bash
# The flow table alone, with a thousand to a hundred million flows where memory allows: insert, hit,
# miss and churn, batch by batch, beside hashbrown, a plain twin, and the memory's own latency.
#
# usage: perf/flowtable.sh [--save] [--flows N,N,…] [--tables weir,hashbrown,plain,memory] [--share PERCENT]
#
# --save keeps the result as perf/results/flowtable-DATE.md and .json.
. "$(dirname "$0")/lib.sh"
save=
if [ "${1:-}" = --save ]; then
    save=perf/results/flowtable-$today
    shift
fi
build -p weir-benches --bin flowtable
flowtable=$target/release/flowtable
if [ -z "$save" ]; then
    exec "$flowtable" "$@"
fi
{
    echo "# The flow table alone"
    echo
    "$flowtable" "$@" --json "$save.json"
} | tee "$save.md.part"
mv "$save.md.part" "$save.md"
