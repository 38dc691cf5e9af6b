#!/usr/bin/env bash
# How fast `weir record` writes, beside fio and others on the same disk, and how fast `weir extract`
# finds one flow again, cold, beside `tcpdump -r`.
#
# usage: perf/record.sh [CAPTURE] [GIGABYTES] [DIR]
#
# All of them have the same packets: CAPTURE, again and again until it is so large, from a file on the
# same disk. So the rates are what each program can take, before any loss of a network: the recorder reads
# an engine that replays the file and waits for it. The page cache is dropped before each turn where we
# are root.
. "$(dirname "$0")/lib.sh"
capture=${1:-}
gigabytes=${2:-4}
dir=${3:-$out/record}
need fio fio
need tcpdump tcpdump
need dumpcap wireshark-common
build -p weir --bin weir
[ -n "$capture" ] || capture=$(flows_capture 20000 4)
rm -rf "$dir"
mkdir -p "$dir"
trap 'rm -rf "$dir"' EXIT

big=$dir/big.pcap
python3 - "$capture" "$big" "$gigabytes" <<'PYTHON'
import sys
data = open(sys.argv[1], "rb").read()
with open(sys.argv[2], "wb") as out:
    out.write(data[:24])
    for _ in range(max(1, int(float(sys.argv[3]) * 1e9) // (len(data) - 24))):
        out.write(data[24:])
PYTHON
bytes=$(stat -c %s "$big")

cold() {
    sync
    echo 3 2>/dev/null >/proc/sys/vm/drop_caches || true
}

# turn NAME COMMAND...: runs it cold, and gives its rate and its processor time.
turn() {
    local name=$1
    shift
    cold
    python3 - "$name" "$bytes" "$@" <<'PYTHON'
import os, resource, subprocess, sys, time
name, size, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
began = time.monotonic()
code = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
os.sync()
took = time.monotonic() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = used.ru_utime + used.ru_stime
mark = "" if code == 0 else f" (ended with {code})"
print(f"| {name}{mark} | {size / took / 1e6:.0f} | {took:.1f} | {cpu:.1f} | {cpu / (size * 8e-9):.2f} |")
PYTHON
}

echo "# Recording, $today"
echo
echo "$(nproc) processors, $(findmnt -no FSTYPE -T "$dir") on $(findmnt -no SOURCE -T "$dir"), $(uname -r); $bytes bytes of packets."
echo
echo "| | MB/s | s | processor s | processor s a Gbit |"
echo "| --- | ---: | ---: | ---: | ---: |"
cold
fio --name=write --directory="$dir" --rw=write --bs=1M --direct=1 --ioengine=io_uring --iodepth=8 \
    --size="${gigabytes}G" --output-format=json --end_fsync=1 >"$dir/fio.json"
python3 - "$dir/fio.json" <<'PYTHON'
import json, sys
job = json.load(open(sys.argv[1]))["jobs"][0]
print(f"| fio, direct, 1 MiB, 8 at a time | {job['write']['bw_bytes'] / 1e6:.0f} | {job['write']['runtime'] / 1e3:.1f} | | |")
PYTHON
rm -f "$dir"/write.*
for way in "" "--no-uring" "--no-direct" "--format pcap" "--compress lz4" "--compress zstd" "--compress zstd:3"; do
    # shellcheck disable=SC2086
    turn "weir record, file to file $way" "$weir" record "pcap:$big" --dir "$dir/recorded" $way
    [ -z "$way" ] || rm -rf "$dir/recorded"
    [ -n "$way" ] || mv "$dir/recorded" "$dir/kept"
done
cold
"$weir" run "pcap:$big" --name "record-$$" --timeouts off --wait-for-readers >/dev/null 2>&1 &
engine=$!
sleep 1
turn "weir record, of an engine" "$weir" record --name "record-$$" --dir "$dir/recorded"
wait $engine || true
rm -rf "$dir/recorded"
turn "tcpdump -r -w" tcpdump -Z root -r "$big" -w "$dir/tcpdump.pcap"
rm -f "$dir/tcpdump.pcap"
turn "dumpcap of a pipe" sh -c "cat '$big' | dumpcap -q -i - -w '$dir/dumpcap.pcapng'"
rm -f "$dir/dumpcap.pcapng"

echo
"$weir" index "$dir/kept" 2>/dev/null
echo
# One flow: the ends of the first packet of TCP that tcpdump sees.
read -r a p b q < <(tcpdump -n -c 1 -r "$capture" 'ip and tcp' 2>/dev/null |
    sed -nE 's/.* IP ([0-9.]+)\.([0-9]+) > ([0-9.]+)\.([0-9]+):.*/\1 \2 \3 \4/p')
filter="tcp and host $a and host $b and port $p and port $q"
id=$(python3 - "$a" "$p" "$b" "$q" <<'PYTHON'
import base64, hashlib, socket, struct, sys
ends = sorted([(socket.inet_aton(sys.argv[1]), int(sys.argv[2])), (socket.inet_aton(sys.argv[3]), int(sys.argv[4]))])
text = b"\0\0" + ends[0][0] + ends[1][0] + b"\6\0" + struct.pack(">HH", ends[0][1], ends[1][1])
print("1:" + base64.b64encode(hashlib.sha1(text).digest()).decode())
PYTHON
)
echo "One flow ($filter), cold:"
echo
echo "| | MB/s | s | processor s | processor s a Gbit |"
echo "| --- | ---: | ---: | ---: | ---: |"
turn "weir extract" "$weir" extract "$dir/kept" -c "$id" -F pcap -w "$dir/a.pcap"
turn "tcpdump -r" tcpdump -Z root --nano -r "$big" -w "$dir/b.pcap" "$filter"
echo
echo "$(($(stat -c %s "$dir/a.pcap") - 24)) and $(($(stat -c %s "$dir/b.pcap") - 24)) bytes found;" \
    "$(cmp -s <(tail -c +25 "$dir/a.pcap") <(tail -c +25 "$dir/b.pcap") && echo the same || echo NOT THE SAME) packets."
