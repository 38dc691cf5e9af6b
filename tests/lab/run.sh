#!/usr/bin/env bash
# `make lab`: the release build of `weir run xdp:…` in zero-copy driver mode, in a virtual machine
# whose cards have it (docs/LAB.md). Prints a table of checks and ends with an error if one failed.
#
# LAB=DIR        the lab: a directory with the program zc-lab in it (default ../shared/lab)
# LAB_NICS=…     the kinds of card, each a boot of its own (default "igb virtio")
# LAB_KVM=PATH   where KVM's device is, for ZC_LAB_ACCEL=kvm (default /dev/kvm); without that the
#                processor is emulated and none is needed
# LAB_STEPS=…    only these steps of guest.py
# LAB_WITH=…     a command to start each boot through
# LAB_OUT=DIR    where the guest leaves its logs (default target/lab)
set -uo pipefail
cd "$(dirname "$0")/../.."
lab=${LAB:-../shared/lab}
target=${CARGO_TARGET_DIR:-target}
out=${LAB_OUT:-$target/lab}
mkdir -p "$out"
out=$(realpath "$out")
weir=$(realpath "$target/release/weir")
results=$out/results.tsv
: >"$results"

note() { # VERDICT NAME FOUND
    printf 'CHECK\t%s\t%s\t%s\n' "$1" "$2" "$3" | tee -a "$results"
}

# A capture of generated traffic in frames that the cards take, as the injector sends them.
capture() {
    "$target/release/weir-lab" capture "$out/mixed.pcap" --flows 300 --seed 5 >"$out/capture.log" || return 1
    python3 - "$out/mixed.pcap" "$out/replay.pcap" <<'PYTHON'
import struct, sys
data = open(sys.argv[1], "rb").read()
with open(sys.argv[2], "wb") as out:
    out.write(data[:24])
    at = 24
    while at < len(data):
        seconds, part, kept, length = struct.unpack_from("<IIII", data, at)
        frame = data[at + 16:at + 16 + kept]
        at += 16 + kept
        if kept == length and 60 <= kept <= 1514:
            out.write(struct.pack("<IIII", seconds, part, kept, kept) + frame)
PYTHON
}

boot() { # KIND: the checks of one boot
    local kind=$1 log=$out/$1.log status ended
    # shellcheck disable=SC2086 # LAB_WITH is a command with its arguments
    ${LAB_WITH:-} "$lab/zc-lab" run --nic "$kind" --time-limit "${LAB_LIMIT:-600}" --rw "$out" \
        --append iomem=relaxed --env "LAB_STEPS=${LAB_STEPS:-}" -- \
        python3 "$PWD/tests/lab/guest.py" "$weir" "$out/replay.pcap" "$out" 2>"$log.err" | tee "$log"
    status=${PIPESTATUS[0]}
    grep -a '^CHECK' "$log" >>"$results"
    ended=$(sed -n 's/^END\t//p' "$log")
    if [ "$status" = 125 ] && [ -z "$ended" ] && ! grep -qa '^CHECK' "$log"; then
        note skipped "$kind" "the lab did not boot: $(grep -v "zc-lab: boot" "$log.err" | tail -n 1)"
    elif [ -z "$ended" ]; then
        note FAILED "$kind: the guest came to its end" "exit status $status, see $log.err"
    fi
}

kvm=${LAB_KVM:-/dev/kvm}
if [ ! -x "$lab/zc-lab" ]; then
    note skipped "all" "no lab in $lab: LAB=DIR names the directory that has zc-lab"
elif [ "${ZC_LAB_ACCEL:-}" = kvm ] && ! { [ -r "$kvm" ] && [ -w "$kvm" ]; }; then
    note skipped "all" "no use of $kvm, and ZC_LAB_ACCEL=kvm: without that the lab emulates the processor"
elif ! "$lab/zc-lab" fetch 2>"$out/fetch.log"; then
    note skipped "all" "the lab's packages cannot be fetched: $(tail -n 1 "$out/fetch.log")"
elif ! capture; then
    note FAILED "a generated capture" "see $out/capture.log"
else
    for kind in ${LAB_NICS:-igb virtio}; do boot "$kind"; done
fi

echo
awk -F '\t' '
    BEGIN { print "| check | verdict | found |\n| --- | --- | --- |" }
    { found = substr($4, 1, 480); gsub(/\|/, "\\|", found); print "| " $3 " | " $2 " | " found " |" }
' "$results"
count() { awk -F '\t' -v v="$1" '$2 == v' "$results" | wc -l; }
echo
echo "$(count ok) passed, $(count FAILED) failed, $(count KNOWN) known failures of a card, $(count skipped) skipped"
[ "$(count ok)" != 0 ] || echo "nothing was proven"
[ "$(count FAILED)" = 0 ] && [ "$(count ok)" != 0 ]
