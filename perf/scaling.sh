#!/usr/bin/env bash
# How the cost of a packet grows: with shards, flows, frame sizes, and rules in force.
#
# usage: perf/scaling.sh [--save] [PART...]   where PART is shards, flows, sizes or rules (all four)
#
#   shards  two against one, over one file that both parse, and with frames given to each by flow, as
#           a card's queues do; the mixed capture (CAPTURES=DIR, ROUNDS=21), TURNS=5 in turn
#   flows   64-byte frames, as many flows at a time as FLOWS="1000 100000 1000000 10000000" says, all
#           known; and 1 % of packets that begin one, with inspection
#   sizes   frames of 64 to 1518 bytes
#   rules   0 to a million domain names in force
#
# --save keeps the results in perf/results. Ten million flows take 8 GB of memory.
. "$(dirname "$0")/lib.sh"
save=
[ "${1:-}" != --save ] || { save=yes; shift; }
captures=${CAPTURES:-../shared/corpus/ndpi/pcap}
rounds=${ROUNDS:-21}
turns=${TURNS:-5}
read -ra counts <<<"${FLOWS:-1000 100000 1000000 10000000}"

need python3 python3
build -p weir --bin weir

# bench LABELS... -- OPTIONS...: one sample of `weir bench --stages` over $capture.
bench() {
    local labels=()
    while [ "$1" != -- ]; do
        labels+=("$1")
        shift
    done
    shift
    python3 perf/timed.py ${spread:+--spread} "$samples" "${labels[@]}" -- \
        "$weir" bench "pcap:$capture" --plain --timeouts off --stages --json "$@"
}

begin() {
    samples=$out/scaling-$1.samples spread=
    : >"$samples"
}

shards() {
    local capture turn
    capture=$(mixed_capture "$captures" "$rounds")
    begin shards
    spread=yes
    for ((turn = 1; turn <= turns; turn++)); do
        bench how=one turn="$turn" -- --loops 1
        bench how=whole turn="$turn" -- --loops 1 --shards 2
        bench how=split turn="$turn" -- --loops 1 --shards 2 --pre-split
    done
}

# Frames after the first round: a million or more.
rounds_for() {
    echo $((1 + (1000000 + $1 - 1) / $1))
}

flows() {
    local capture count new loops
    begin flows
    for count in "${counts[@]}"; do
        for new in 0 0.01; do
            capture=$(flows_capture "$count" "$(rounds_for "$count")" --coap --new $new)
            loops=$((count < 10000000 ? 3 : 1))
            bench flows="$count" new=$new -- --loops $loops --warm "$count" \
                --config "$(table_for $((count + 20000)))"
            # The largest are not kept: they are gigabytes, and made in a minute.
            [ "$count" -lt 10000000 ] || rm -f "$capture"
        done
    done
}

sizes() {
    local capture size turn
    begin sizes
    for ((turn = 1; turn <= turns; turn++)); do
        for size in 64 128 256 512 1024 1518; do
            capture=$(flows_capture 100000 6 --coap --new 0.01 --size $size)
            bench size=$size turn="$turn" -- --loops 1 --warm 100000
        done
    done
}

rules() {
    local capture domains turn
    capture=$(mixed_capture "$captures" "$rounds")
    begin rules
    for ((turn = 1; turn <= turns; turn++)); do
        for domains in 0 1000 100000 1000000; do
            bench domains=$domains turn="$turn" -- --loops 1 --config "$(rules_of $domains)"
        done
    done
}

# rules_of COUNT: a settings file with a list of so many names as block-lists have; prints its path.
rules_of() {
    [ ! -f "$out/domains-$1.toml" ] || { echo "$out/domains-$1.toml"; return; }
    python3 - "$1" "$out/domains-$1" <<'PYTHON'
import random, sys
count, base = int(sys.argv[1]), sys.argv[2]
some = random.Random(1)
below, words, ends = ["", "www.", "cdn.", "ads.tracker."], ["a", "track", "metrics", "stat"], ["com", "net", "info", "xyz", "co.uk"]
with open(base + ".txt", "w") as file:
    for number in range(count):
        file.write(f"{some.choice(below)}{some.choice(words)}-{some.getrandbits(32):08x}.{some.choice(ends)}\n")
with open(base + ".rules", "w") as file:  # Lists are named from where it lies.
    file.write(f'list tracked domains "domains-{count}.txt"\n' if count else "# None.\n")
with open(base + ".toml", "w") as file:
    file.write(f'[inspect]\nrules = ["{base}.rules"]\n')
print(base + ".toml")
PYTHON
}

parts=("$@")
[ $# -gt 0 ] || parts=(shards flows sizes rules)
for part in "${parts[@]}"; do
    case $part in
    shards | flows | sizes | rules) "$part" ;;
    *) fail "no such part: $part" ;;
    esac
    publish "scaling-$part" "$out/scaling-$part.samples" "$save"
    echo
done
