#!/usr/bin/env bash
# `make run`: generated traffic through two namespaces, captured with AF_XDP on two shards, shown by
# `weir top`. Without root, or with a capture file as argument, the same from the file.
#
# Ends by itself or on q, and removes what it made.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}/release
weir=$target/weir
lab=$target/weir-lab
work=$(mktemp -d "${TMPDIR:-/tmp}/weir-demo.XXXXXX")
name=demo-$$
near=weir-demo-$$-a
far=weir-demo-$$-b
engine=
player=
seconds=${WEIR_DEMO_SECONDS:-60}
[ -t 1 ] || seconds=6

cleanup() {
    trap - EXIT INT TERM HUP
    for process in $player $engine; do
        kill -TERM "$process" 2>/dev/null || true
    done
    for process in $player $engine; do
        wait "$process" 2>/dev/null || true
    done
    for space in "$near" "$far"; do
        if [ -e "/var/run/netns/$space" ]; then ip netns del "$space" || true; fi
    done
    if [ -s "$work/summary" ]; then cat "$work/summary"; fi
    if [ -s "$work/error" ]; then cat "$work/error" >&2; fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# Waits until readers can attach, or says why the engine did not start.
wait_for_engine() {
    for _ in $(seq 100); do
        if "$weir" stats --name "$name" --json >/dev/null 2>&1; then return 0; fi
        if ! kill -0 "$engine" 2>/dev/null; then
            engine=
            echo "the engine did not start:" >&2
            exit 1
        fi
        sleep 0.1
    done
    echo "the engine does not answer" >&2
    exit 1
}

show() {
    if [ -t 1 ] && [ -t 0 ]; then
        # q ends it, the end of the run too (exit code 4 or 0): both are a good end.
        "$weir" top --name "$name" || true
    else
        sleep $((seconds > 2 ? seconds - 2 : 1))
        "$weir" top --name "$name" --once --size 100x30
        "$weir" flows --name "$name" --limit 10
        "$weir" stats --name "$name"
    fi
}

from_file() {
    echo "weir run pcap:$1" >&2
    "$weir" run "pcap:$1" --name "$name" --timeouts off --wait="$seconds" >"$work/summary" 2>"$work/error" &
    engine=$!
    wait_for_engine
    show
}

live() {
    "$lab" capture "$work/mixed.pcap" --flows 2000 >/dev/null
    ip netns add "$near"
    ip netns add "$far"
    ip link add weir0 netns "$near" type veth peer name weir1 netns "$far"
    for end in "$near weir0" "$far weir1"; do
        read -r space interface <<<"$end"
        # No frames of the kernel's own, and VLAN tags where they belong: in the frame.
        ip netns exec "$space" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 || true
        ip netns exec "$space" ethtool -K "$interface" txvlan off rxvlan off >/dev/null 2>&1 || true
        ip -n "$space" link set "$interface" mtu 9000 up
    done
    echo "weir run xdp:weir1 --shards 2 --split xdp" >&2
    ip netns exec "$far" "$weir" run xdp:weir1 --shards 2 --split xdp --name "$name" \
        >"$work/summary" 2>"$work/error" &
    engine=$!
    wait_for_engine
    ip netns exec "$near" "$lab" play "$work/mixed.pcap" weir0 --pps 20000 --seconds "$seconds" --loops 1000000 \
        >/dev/null 2>&1 &
    player=$!
    if [ -t 1 ] && [ -t 0 ]; then
        # The traffic's end is the end of the show.
        (while kill -0 "$player" 2>/dev/null; do sleep 0.5; done; kill -TERM "$engine" 2>/dev/null) &
    fi
    show
}

if [ -n "${1:-}" ]; then
    [ -f "$1" ] || { echo "make run: there is no file $1" >&2; exit 1; }
    from_file "$1"
elif [ "$(id -u)" = 0 ] && command -v ip >/dev/null; then
    live
else
    echo "not root: from a generated capture file instead of an interface" >&2
    "$lab" capture "$work/mixed.pcap" --flows 2000 >/dev/null
    from_file "$work/mixed.pcap"
fi
