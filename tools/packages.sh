#!/bin/sh
# Makes sure that Debian packages are there: installs what is missing, or says what is.
set -eu
missing=
for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null; then
    echo "weir: these Debian packages, or what they are called here, are missing:$missing" >&2
    echo "weir: going on; the build says what it lacks" >&2
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "weir: missing packages; as root: apt-get install$missing" >&2
    exit 1
fi
echo "weir: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # one word a package
apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
