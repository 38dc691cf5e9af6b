#!/usr/bin/env bash
# Instructions that inspection takes a packet, conversation by conversation, counted by callgrind:
# the figures repeat exactly, whatever else the machine does. Callgrind's processor has no SHA
# instructions, so a TLS hello counts its fingerprint's SHA-256 in software.
#
# usage: perf/instructions.sh
. "$(dirname "$0")/lib.sh"
if ! command -v valgrind >/dev/null; then
    echo "$me: SKIPPED, needs valgrind: apt-get install valgrind" >&2
    exit 0
fi
build -p weir-benches --bin inspect_count
count=$target/release/inspect_count
log=$(mktemp)
trap 'rm -f "$log"' EXIT

printf '%-32s %12s\n' conversation instr./packet
while IFS= read -r name; do
    packets=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file="$log" \
        --toggle-collect='weir_dpi::inspect::Inspector::inspect' "$count" "$name")
    collected=$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$log")
    if [ "${collected:-0}" -eq 0 ]; then
        fail "nothing counted: Inspector::inspect has no symbol"
    fi
    printf '%-32s %12d\n' "$name" $((collected / packets))
done < <("$count")
