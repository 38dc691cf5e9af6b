#!/usr/bin/env bash
# Weir and its peers over the same capture, turn by turn, all on one core: ndpiReader, nfpcapd,
# softflowd, Suricata without rules, tshark, and the Rust crate flowscope.
#
# usage: perf/offline.sh [--save] [CAPTURES_DIR] [ROUNDS] [TURNS]
#
# The capture is built from a folder of small ones (default: the labelled corpus, where it is, else
# set CAPTURES_DIR): 21 rounds give more than a million packets and ninety thousand flows. What each
# figure holds is said in the table (perf/summary.py). --save keeps it in perf/results.
. "$(dirname "$0")/lib.sh"
save=
[ "${1:-}" != --save ] || { save=yes; shift; }
captures=${1:-../shared/corpus/ndpi/pcap}
rounds=${2:-21}
turns=${3:-5}
# tshark keeps all it ever saw, and takes its time: so many frames of the capture are enough.
tshark_frames=200000

need python3 python3
build -p weir --bin weir
flowscope=$(build_apart flowscope)
capture=$(mixed_capture "$captures" "$rounds")
one=$(one_frame "$capture")
samples=$out/offline.samples
: >"$samples"
cat "$capture" >/dev/null # Into the page cache, so that no disk is measured.
scratch=$(mktemp -d "$out/offline.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/nfdump" "$scratch/suricata"
printf '[inspect]\nenabled = false\n' >"$scratch/flows.toml"

# peer NAME PROGRAM PACKAGE COMMAND...: times a command, first with one frame in the place of `CAPTURE`,
# which is its start-up, then with the capture.
peer() {
    local name=$1 program=$2 package=$3 stage
    shift 3
    if ! command -v "$program" >/dev/null; then
        [ "$turn" != 1 ] || printf '{"who": "%s", "missing": "%s"}\n' "$name" "$package" >>"$samples"
        return
    fi
    for stage in start run; do
        local over=$one
        [ $stage = run ] && over=$capture
        python3 perf/timed.py "$samples" who="$name" turn="$turn" stage=$stage -- "${@//CAPTURE/$over}"
    done
}

for ((turn = 1; turn <= turns; turn++)); do
    peer weir-memory "$weir" '' "$weir" bench pcap:CAPTURE --plain --timeouts off --loops 1 --stages --json
    peer flowscope "$flowscope" '' "$flowscope" CAPTURE 1
    peer weir-file "$weir" '' "$weir" run pcap:CAPTURE --name "offline-$$" --timeouts off --summary json
    peer weir-file-flows "$weir" '' "$weir" run pcap:CAPTURE --name "offline-$$" --timeouts off \
        --summary json --config "$scratch/flows.toml"
    # -q would leave out the figure that is wanted here; nothing is printed a flow without -v.
    peer ndpiReader ndpiReader libndpi-bin ndpiReader -i CAPTURE
    peer nfpcapd nfpcapd nfdump nfpcapd -r CAPTURE -w "$scratch/nfdump"
    peer softflowd softflowd softflowd softflowd -r CAPTURE -d -T vlan -6 -m 1000000 -c none \
        -p "$scratch/softflowd.pid"
    # Neither rules nor logs, one thread for packets.
    peer suricata suricata suricata suricata -r CAPTURE -S /dev/null -l "$scratch/suricata" \
        --runmode single --set outputs.1.eve-log.enabled=no --set outputs.7.stats.enabled=no
    rm -f "$scratch"/nfdump/* "$scratch"/suricata/*
    if [ "$turn" = 1 ]; then
        peer tshark tshark tshark tshark -n -c "$tshark_frames" -r CAPTURE -q -z io,phs
    fi
done

# version PATTERN PROGRAM ARGUMENT: what a program says of itself, as sed finds it; nothing without it.
version() { ! command -v "$2" >/dev/null || echo "$("${@:2}" 2>&1 | sed -n "$1" | head -1)"; }
versions=$(
    "$weir" --version
    version 's/^Welcome to //p' ndpiReader -h
    version 's/.*Version: *\([0-9.]*[0-9]\).*/nfpcapd \1/p' nfpcapd -V
    version 's/.*version \([0-9.]*[0-9]\).*/softflowd \1/p' softflowd -h
    version 's/.*version \([0-9.]*\).*/Suricata \1/p' suricata -V
    version 's/^TShark[^0-9]*\([0-9.]*[0-9]\).*/tshark \1/p' tshark --version
    sed -n '/name = "flowscope"/{n;s/.*"\(.*\)"/flowscope \1/p}' perf/flowscope/Cargo.lock
)
publish offline "$samples" "$save" --fact tshark_frames="$tshark_frames" --fact versions="$versions"
