#!/usr/bin/env bash
# What packet readers cost the engine, how fast descriptors get to them, and the same hand-over over
# iceoryx2, in one run of a few minutes.
#
# usage: perf/fanout.sh [CAPTURES_DIR] [LOOPS]
#
# Figures mean something where the readers have cores to run on and nobody else does. On a machine
# in use, FANOUT_ALONE=1 has the kernel's autogroups prefer this run (as root).
. "$(dirname "$0")/lib.sh"
captures=${1:-../shared/corpus/ndpi/pcap}
loops=${2:-15}

if [ -n "${FANOUT_ALONE:-}" ] && [ -z "${FANOUT_SESSION:-}" ]; then
    exec env FANOUT_SESSION=1 setsid -w "$me" "$@"
fi
build -p weir --bin weir
build -p weir-benches --bin fanout
iceoryx2=$(build_apart iceoryx2)
capture=$(mixed_capture "$captures" 5)
if [ -n "${FANOUT_SESSION:-}" ]; then
    echo -19 >/proc/self/autogroup || echo "$me: no autogroups here: run on as it is" >&2
fi

echo "# Packets to readers, $today"
echo
machine
echo "$("$weir" --version),"
echo "iceoryx2 $(sed -n '/name = "iceoryx2"/{n;s/.*"\(.*\)"/\1/p}' perf/iceoryx2/Cargo.lock)."
echo
echo "## The engine's processor time, by readers"
echo
echo '```'
timeout 200 "$weir" bench "pcap:$capture" --readers 0,1,2,4,8 --plain --loops "$loops"
echo '```'
echo
echo "## Hand-over of 64 bytes, Weir"
echo
timeout 60 "$target/release/fanout"
echo
echo "## Hand-over of 64 bytes, iceoryx2"
echo
timeout 60 "$iceoryx2"
