#!/usr/bin/env bash
# How fast `weir record` writes beside fio, tcpdump and dumpcap on the same disk; at which rate a whole
# chain of sender, engine and recorder loses nothing; what recording costs the engine; and how fast
# `weir extract` finds one flow again, cold, beside `tcpdump -r`. As Markdown on standard output.
#
# usage: perf/record.sh [GIGABYTES] [SECONDS] [DIR] [PART...]
#
# PART is one or more of writing, cost, live, chain, finding; all of them, where none is given.
# GIGABYTES (10) are what a flow is looked for in, and SECONDS (60) how long the chain runs; files go to
# DIR (target/perf/record) and are removed. A namespace for the chain and cold reads need root.
. "$(dirname "$0")/lib.sh"
need fio fio
need tcpdump tcpdump
need dumpcap wireshark-common
build -p weir --bin weir
dir=${3:-$out/record}
rm -rf "$dir"
mkdir -p "$dir"
trap 'rm -rf "$dir"' EXIT

echo "# Recording, $today"
echo
machine
echo "$(findmnt -no FSTYPE -T "$dir") on $(findmnt -no SOURCE -T "$dir"); $("$weir" --version), $(fio --version)," \
    "$(tcpdump --version 2>&1 | head -1), $(dumpcap --version 2>/dev/null | head -1)"
python3 perf/record.py "$weir" "$dir" "${1:-10}" "${2:-60}" "${@:4}"
