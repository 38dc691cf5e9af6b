# What the scripts here have in common. Each begins with `. "$(dirname "$0")/lib.sh"`, which brings
# it to the root of the checkout; its figures go to standard output, what went wrong to the error
# output, and what it builds under target/perf.
#
#   $weir      the program, once `build -p weir --bin weir` was called
#   $out       where captures and samples go
#   $today     the day, as results are named
#   ${pin[@]}  before a command: on the last core, where taskset is there

set -euo pipefail
me=perf/$(basename "$0")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${CARGO_TARGET_DIR:-target}
out=$target/perf
weir=$target/release/weir
today=$(date -u +%Y-%m-%d)
pin=()
! command -v taskset >/dev/null || pin=(taskset -c $(($(nproc) - 1)))
mkdir -p "$out"

fail() {
    echo "$me: $*" >&2
    exit 1
}

# need PROGRAM PACKAGE: ends the script where a program is missing that it cannot do without.
need() {
    command -v "$1" >/dev/null || fail "needs $1: apt-get install $2"
}

# build CARGO_ARGUMENTS...: the release build of a part of the workspace.
build() {
    cargo build --release --locked --quiet "$@"
}

# build_apart NAME: the crate perf/NAME, outside of the workspace; prints its program's path.
build_apart() {
    build --manifest-path "perf/$1/Cargo.toml" --target-dir "$target/$1"
    echo "$target/$1/release/weir-perf-$1"
}

# The machine in a line, and the day.
machine() {
    build -p weir-benches --bin machine
    "$target/release/machine"
}

# mixed_capture DIR ROUNDS: a capture made of the small ones in DIR; prints its path.
mixed_capture() {
    local capture=$out/rounds-$2.pcap
    if [ ! -f "$capture" ]; then
        [ -d "$1" ] || fail "no captures in $1: name a folder of them"
        python3 perf/build_capture.py "$1" "$capture" "$2" >&2
    fi
    echo "$capture"
}

# flows_capture FLOWS ROUNDS [OPTIONS...]: a synthetic capture (build_flows.py); prints its path.
flows_capture() {
    local name="flows $*" capture
    name=${name// --/-}
    capture=$out/${name// /-}.pcap
    [ -f "$capture" ] || python3 perf/build_flows.py "$capture" "$@" >&2
    echo "$capture"
}

# one_frame CAPTURE: a capture of its first frame alone; prints its path.
one_frame() {
    python3 - "$1" "$out/one-frame.pcap" <<'PYTHON'
import struct, sys
with open(sys.argv[1], "rb") as file, open(sys.argv[2], "wb") as out:
    head = file.read(40)
    out.write(head + file.read(struct.unpack("<I", head[32:36])[0]))
PYTHON
    echo "$out/one-frame.pcap"
}

# table_for FLOWS: settings whose flow table and metadata have room for them; prints their path.
table_for() {
    local arena=$(($1 * 128 < 1 << 26 ? 1 << 26 : $1 * 128 < 1 << 32 ? $1 * 128 : 1 << 32))
    printf '[flow]\ncapacity = %s\n[export]\narena_bytes = %s\n' $(($1 * 5 / 4)) $arena \
        >"$out/table-$1.toml"
    echo "$out/table-$1.toml"
}

# publish KIND SAMPLES SAVE FACTS...: makes the result of the samples, prints it as Markdown, and
# keeps both forms under perf/results if SAVE is not empty.
publish() {
    local kind=$1 samples=$2 save=$3 result=$out/$1.json
    shift 3
    python3 perf/summary.py "$kind" "$samples" --date "$today" --machine "$(machine)" \
        --command "$me" "$@" >"$result"
    python3 perf/render.py --table "$result" | tee "$out/$kind.md"
    if [ -n "$save" ]; then
        cp "$result" "perf/results/$kind-$today.json"
        cp "$out/$kind.md" "perf/results/$kind-$today.md"
    fi
}
