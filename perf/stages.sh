#!/usr/bin/env bash
# Where a packet's time goes: each stage's instructions, counted by callgrind, and its CPU time, over
# the same capture in memory.
#
# usage: perf/stages.sh [--save] [CAPTURES_DIR] [ROUNDS]
. "$(dirname "$0")/lib.sh"
save=
[ "${1:-}" != --save ] || { save=yes; shift; }
captures=${1:-../shared/corpus/ndpi/pcap}
rounds=${2:-5}
need valgrind valgrind
need python3 python3
build -p weir --bin weir
capture=$(mixed_capture "$captures" "$rounds")
samples=$out/stages.samples
: >"$samples"

for ((turn = 1; turn <= 3; turn++)); do
    python3 perf/timed.py "$samples" what=time -- \
        "$weir" bench "pcap:$capture" --plain --timeouts off --loops 3 --stages --json
done

# count WHAT OPTIONS...: the instructions of all turns of one run.
count() {
    local what=$1
    shift
    python3 perf/timed.py "$samples" what="callgrind $what" -- valgrind --tool=callgrind \
        --callgrind-out-file=/dev/null --toggle-collect='weir_engine::shard::Shard<S>::turn' \
        "$weir" bench "pcap:$capture" --plain --timeouts off --loops 1 --json "$@"
}

# A run has the depths that it is asked for, one after the other: the differences are the stages.
count "full and flow"
count "flow" --no-dpi
count "flow and parse" --no-dpi --stages
publish stages "$samples" "$save"
