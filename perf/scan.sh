#!/usr/bin/env bash
# What a reader costs the engine: a million flows, with and without an unprivileged `weir flows`
# that scans them once a second, turn by turn.
#
# usage: perf/scan.sh [FLOWS] [ROUNDS] [TURNS]
. "$(dirname "$0")/lib.sh"
flows=${1:-1000000}
rounds=${2:-60}
turns=${3:-5}
need python3 python3
build -p weir --bin weir
capture=$(flows_capture "$flows" "$rounds")
cat "$capture" >/dev/null # Into the page cache, so that no disk is measured.
config=$(table_for "$flows")
reader=$(mktemp -d /tmp/weir-scan.XXXXXX)
trap 'rm -rf "$reader"' EXIT
install -m 755 "$weir" "$reader/weir"
chmod 755 "$reader"

as_nobody() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi; }

# Prints the shard's processor seconds: what a reader costs it is memory traffic, and shows there.
run() {
    local watcher=
    "$weir" run "pcap:$capture" --name scan --timeouts off --config "$config" --summary json >"$out/scan.json" 2>/dev/null &
    local engine=$!
    if [ "$1" = with ]; then
        sleep 0.3
        (cd / && as_nobody "$reader/weir" flows --name scan --watch 1 --limit 20 >/dev/null 2>&1) &
        watcher=$!
    fi
    wait "$engine"
    [ -z "$watcher" ] || wait "$watcher" || true
    python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["shards"][0]["cpu_seconds"])' "$out/scan.json"
}

machine
echo "$flows flows, $((flows * rounds)) frames"
results=
for ((turn = 1; turn <= turns; turn++)); do
    results+="$(run without) $(run with) "
done
# shellcheck disable=SC2086  # one word a figure
python3 - $results <<'PYTHON'
import statistics, sys
times = list(map(float, sys.argv[1:]))
pairs = list(zip(times[::2], times[1::2]))
for without, reader in pairs:
    print(f"without {without:.3f} s   with {reader:.3f} s   {100 * (reader / without - 1):+.2f} %")
a, b = (statistics.median(side) for side in zip(*pairs))
print(f"median  {a:.3f} s   with {b:.3f} s   {100 * (b / a - 1):+.2f} %")
PYTHON
