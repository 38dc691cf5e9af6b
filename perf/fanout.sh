#!/usr/bin/env bash
# What packet readers cost the engine, how fast descriptors get to them, and the same hand-over over
# iceoryx2, in one run of a few minutes.
#
# usage: perf/fanout.sh [CAPTURES_DIR] [LOOPS]
#
# Figures mean something where the readers have cores to run on and nobody else does. On a machine
# in use, FANOUT_ALONE=1 has the kernel's autogroups prefer this run (as root).
set -euo pipefail
cd "$(dirname "$0")/.."
captures=${1:-../shared/corpus/ndpi/pcap}
loops=${2:-15}
target=${CARGO_TARGET_DIR:-$PWD/target}
capture=$target/perf/rounds-5.pcap

if [ -n "${FANOUT_ALONE:-}" ] && [ -z "${FANOUT_SESSION:-}" ]; then
    exec env FANOUT_SESSION=1 setsid -w "$0" "$@"
fi
cargo build --release --locked --quiet -p weir --bin weir
cargo build --release --locked --quiet -p weir-benches --bin fanout
(cd perf/iceoryx2 && CARGO_TARGET_DIR=$target/iceoryx2 cargo build --release --locked --quiet)
if [ ! -f "$capture" ]; then
    [ -d "$captures" ] || { echo "perf/fanout.sh: no captures in $captures: name a folder of them" >&2; exit 1; }
    mkdir -p "$target/perf"
    python3 perf/build_capture.py "$captures" "$capture" 5
fi
if [ -n "${FANOUT_SESSION:-}" ]; then
    echo -19 >/proc/self/autogroup || echo "perf/fanout.sh: no autogroups here: run on as it is" >&2
fi

echo "# Packets to readers, $(date -u +%Y-%m-%d)"
echo
cargo run --release --locked --quiet -p weir-benches --bin machine
echo "$("$target/release/weir" --version),"
echo "iceoryx2 $(sed -n '/name = "iceoryx2"/{n;s/.*"\(.*\)"/\1/p}' perf/iceoryx2/Cargo.lock)."
echo
echo "## The engine's processor time, by readers"
echo
echo '```'
timeout 200 "$target/release/weir" bench "pcap:$capture" --readers 0,1,2,4,8 --loops "$loops"
echo '```'
echo
echo "## Hand-over of 64 bytes, Weir"
echo
timeout 60 "$target/release/fanout"
echo
echo "## Hand-over of 64 bytes, iceoryx2"
echo
timeout 60 "$target/iceoryx2/release/weir-perf-iceoryx2"
