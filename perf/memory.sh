#!/usr/bin/env bash
# What a flow costs in memory, all included: an engine with a million flows, its resident memory
# (less the mapped capture file) divided by the flows in its table.
#
# usage: perf/memory.sh [FLOWS]
. "$(dirname "$0")/lib.sh"
flows=${1:-1000000}
need python3 python3
build -p weir --bin weir
capture=$(flows_capture "$flows" 2)
printf '[flow]\ncapacity = %s\n' $((flows * 21 / 20)) >"$out/memory.toml"
"$weir" run "pcap:$capture" --name "memory-$$" --timeouts off --config "$out/memory.toml" --wait=60 >/dev/null 2>&1 &
engine=$!
trap 'kill -INT $engine 2>/dev/null; wait' EXIT
live=0 before=-1
while [ "$live" != "$before" ] || [ "$live" = 0 ]; do
    sleep 1
    before=$live
    live=$("$weir" stats --name "memory-$$" --json | python3 -c '
import json, sys
text = json.dumps(json.load(sys.stdin))
import re
found = re.findall(r"\"name\": \"flows_live\"[^}]*?\"value\": (\d+)|\"flows_live\": (\d+)", text)
print(max((int(a or b) for a, b in found), default=0))')
done
python3 - "$live" /proc/$engine/status <<'PYTHON'
import re, sys
live = int(sys.argv[1])
status = dict(re.findall(r"(Rss\w+):\s+(\d+) kB", open(sys.argv[2]).read()))
bytes_ = (int(status["RssAnon"]) + int(status["RssShmem"])) * 1024
print(f"{live} flows, {bytes_ / 1e6:.1f} MB resident: {bytes_ / live:.0f} bytes a flow, all tables, rings and pools included")
PYTHON
