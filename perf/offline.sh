#!/usr/bin/env bash
# weir bench beside ndpiReader (Debian: libndpi-bin) over the same capture, turn by turn.
#
# usage: perf/offline.sh [CAPTURES_DIR] [ROUNDS] [TURNS]
#
# The capture is built from a folder of small ones (default: the labelled corpus, where it is, else
# set CAPTURES_DIR): 21 rounds give more than a million packets and ninety thousand flows. Both
# read the same file in the same turn, pinned to the same core; the ratio is taken turn by turn.
set -euo pipefail
cd "$(dirname "$0")/.."
captures=${1:-../shared/corpus/ndpi/pcap}
rounds=${2:-21}
turns=${3:-5}
weir=${CARGO_TARGET_DIR:-target}/release/weir
out=${CARGO_TARGET_DIR:-target}/perf
capture=$out/rounds-$rounds.pcap

need() { command -v "$1" >/dev/null || { echo "perf/offline.sh: needs $1: apt-get install $2" >&2; exit 1; }; }
need ndpiReader libndpi-bin
need python3 python3
[ -x "$weir" ] || cargo build --release --locked -p weir
if [ ! -f "$capture" ]; then
    [ -d "$captures" ] || { echo "perf/offline.sh: no captures in $captures: name a folder of them" >&2; exit 1; }
    mkdir -p "$out"
    python3 perf/build_capture.py "$captures" "$capture" "$rounds"
fi

pin=
command -v taskset >/dev/null && pin="taskset -c $(($(nproc) - 1))"
cargo run --release --locked --quiet -p weir-benches --bin machine
echo "$(ndpiReader -h 2>&1 | sed -n 's/^Welcome to //p'), $("$weir" --version)"
for ((turn = 1; turn <= turns; turn++)); do
    # -q would leave out the figure that is wanted here; nothing is printed a flow without -v.
    $pin ndpiReader -i "$capture" >"$out/ndpi.txt" 2>&1
    $pin "$weir" bench "pcap:$capture" --timeouts off --loops 3 --json >"$out/weir.json"
    python3 - "$out/ndpi.txt" "$out/weir.json" <<'PYTHON'
import json, re, sys
text = open(sys.argv[1]).read()
number, unit = re.search(r"nDPI throughput:\s+([\d.]+) ?([KM]?) ?pps", text).groups()
ndpi = float(number) * {"": 1, "K": 1e3, "M": 1e6}[unit]
flows = re.search(r"Unique flows:\s+(\d+)", text).group(1)
weir = json.load(open(sys.argv[2]))
full = weir["runs"][0]
print(
    f"ndpiReader {ndpi / 1e6:6.3f} Mpackets/s ({flows} flows)   "
    f"weir {full['packets_per_second'] / 1e6:6.3f} Mpackets/s ({weir['flows']} flows of {weir['frames']} frames)   "
    f"ratio {full['packets_per_second'] / ndpi:5.2f}"
)
PYTHON
done
