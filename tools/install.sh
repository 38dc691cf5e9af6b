#!/bin/sh
# Installs what `make build` built: the weir binary, the libraries for C, libpcap and Snort, and the
# link that Wireshark finds. PREFIX (/usr/local) says where to, DESTDIR (none) under which root.
# `tools/install.sh --remove` takes away what it installed.
set -eu
cd "$(dirname "$0")/.."
prefix=${PREFIX:-/usr/local}
root=${DESTDIR:-}
built=${CARGO_TARGET_DIR:-target}/release
libdir=$prefix/lib
# Wireshark's own folder for capture programs, where it tells one; else where Debian has it.
extcap=${EXTCAP_DIR:-}
if [ -z "$extcap" ] && command -v tshark >/dev/null; then
    extcap=$(tshark -G folders 2>/dev/null | sed -n 's/^\(Global \)\?Extcap path:[[:space:]]*//p' | tail -1)
fi
: "${extcap:=/usr/lib/$(uname -m)-linux-gnu/wireshark/extcap}"

files="$prefix/bin/weir $libdir/libweir.so.0 $libdir/libweir.so $prefix/include/weir.h $libdir/pkgconfig/weir.pc
$libdir/weir/libpcap-weir.so $libdir/daq/libdaq_weir.so $extcap/weir-extcap"

if [ "${1:-}" = --remove ]; then
    for file in $files; do rm -f "$root$file"; done
    exit 0
fi
for file in weir libweir.so libpcap_weir.so libdaq_weir.so; do
    [ -e "$built/$file" ] || { echo "weir: $built/$file is missing: run make build first" >&2; exit 1; }
done
install -D -m 755 "$built/weir" "$root$prefix/bin/weir"
# Programs that were linked ask for the name with a number (shm/capi/build.rs).
rm -f "$root$libdir/libweir.so"
install -D -m 755 "$built/libweir.so" "$root$libdir/libweir.so.0"
ln -s libweir.so.0 "$root$libdir/libweir.so"
install -D -m 644 shm/capi/include/weir.h "$root$prefix/include/weir.h"
install -D -m 755 "$built/libpcap_weir.so" "$root$libdir/weir/libpcap-weir.so"
install -D -m 755 "$built/libdaq_weir.so" "$root$libdir/daq/libdaq_weir.so"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
mkdir -p "$root$libdir/pkgconfig" "$root$extcap"
sed -e "s|@PREFIX@|$prefix|" -e "s|@LIBDIR@|$libdir|" -e "s|@INCLUDEDIR@|$prefix/include|" \
    -e "s|@VERSION@|$version|" shm/capi/weir.pc.in >"$root$libdir/pkgconfig/weir.pc"
ln -sf "$prefix/bin/weir" "$root$extcap/weir-extcap"
if [ -z "$root" ] && [ "$(id -u)" = 0 ]; then ldconfig 2>/dev/null || true; fi
echo "installed:"
for file in $files; do echo "  $root$file"; done
echo "Snort finds its module with --daq-dir $libdir/daq; others with: weir with -- PROGRAM -i weir:NAME"
