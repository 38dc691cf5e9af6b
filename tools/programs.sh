#!/bin/sh
# Makes sure that the programs are there which the tests run Weir with: tcpdump, tshark, Suricata 7,
# zstd and lz4. What cannot be had is named, and the tests that need it are skipped, visibly.
#
# Debian 12 has Suricata 6; 7 is in its backports. Where apt does not know those, a source is added
# for them: the same mirror and the same keyring as the machine has for Debian itself. Backports
# are installed from only when asked for by name, so nothing else on the machine changes.
set -eu
added=/etc/apt/sources.list.d/weir-backports.sources
temporary=
trap '[ -z "$temporary" ] || rm -f "$temporary"' EXIT

say() {
    echo "weir: $*" >&2
}

has_suricata() {
    command -v suricata >/dev/null && suricata -V 2>/dev/null | grep -qE 'version ([7-9]|[1-9][0-9])\.'
}

missing() {
    command -v tcpdump >/dev/null || echo tcpdump
    command -v tshark >/dev/null && command -v dumpcap >/dev/null || echo tshark
    has_suricata || echo suricata
    command -v zstd >/dev/null || echo zstd
    command -v lz4 >/dev/null || echo lz4
}

give_up() {
    say "$1; tests with these programs are skipped:" $(missing)
    exit 0
}

# The version that apt would install from $1, a release, or by itself.
candidate() {
    apt-cache policy ${1:+-t "$1"} suricata 2>/dev/null | sed -n 's/^ *Candidate: //p'
}

# The lines `Key: value` of one source that names $1 as its mirror and $2 as its release: what says
# by which keys it is signed, if anything does. Understands both forms of apt's files.
signed_by() {
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] || continue
        awk -v RS= -v uri="${1%/}" -v suite="$2" '{
            mirror = release = inside = 0; keys = ""
            lines = split($0, line, "\n")
            for (n = 1; n <= lines; n++) {
                if (line[n] ~ /^#/) continue
                if (line[n] !~ /^[ \t]/) inside = tolower(line[n]) ~ /^signed-by:/
                if (inside) keys = keys line[n] "\n"
                words = split(line[n], word, /[ \t]+/)
                for (w = 2; w <= words; w++) {
                    sub(/\/$/, "", word[w])
                    if (tolower(word[1]) == "uris:" && word[w] == uri) mirror = 1
                    if (tolower(word[1]) == "suites:" && word[w] == suite) release = 1
                }
            }
            if (mirror && release) { printf "%s", keys; exit }
        }' "$file"
    done
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$file" ] || continue
        awk -v uri="${1%/}" -v suite="$2" '$1 == "deb" {
            keys = ""
            if (match($0, /signed-by=[^] \t]+/)) keys = substr($0, RSTART + 10, RLENGTH - 10)
            sub(/\[[^]]*\]/, "")
            sub(/\/$/, "", $2)
            gsub(/,/, " ", keys)
            if ($2 == uri && $3 == suite && keys != "") { print "Signed-By: " keys; exit }
        }' "$file"
    done
}

# Adds the source of backports, if apt knows none.
add_backports() {
    targets='$(REPO_URI) $(RELEASE)'
    known=$(apt-get indextargets --no-release-info --format "$targets" \
        'Created-By: Packages' 'Component: main')
    ! printf '%s\n' "$known" | grep -q " $release-backports\$" || return 0
    # Debian's own, as its signed index says; another archive may call its release the same.
    mirror=$(apt-get indextargets --format "$targets" \
        'Created-By: Packages' 'Component: main' 'Origin: Debian' "Codename: $release" |
        sed -n "s/ $release\$//p" | head -n 1)
    [ -n "$mirror" ] || give_up "apt has no Debian mirror for $release"
    say "adding $added: backports from this machine's mirror"
    {
        echo "# For Suricata 7, which the tests of Weir run. Can be removed at any time."
        printf 'Types: deb\nURIs: %s\nSuites: %s-backports\nComponents: main\n' "$mirror" "$release"
        signed_by "$mirror" "$release" | sed '/^$/d'
    } >"$added"
    apt-get update -qq || {
        rm -f "$added"
        give_up "the mirror has no backports"
    }
}

# Without what it does not need to read packets, and without starting a service that would.
install() {
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        temporary=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' >"$temporary"
        chmod 755 "$temporary"
    fi
    say "installing $*"
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null || give_up "apt-get failed"
    case "$*" in
    *suricata*) [ ! -d /run/systemd/system ] || systemctl disable -q suricata || true ;;
    esac
}

[ -n "$(missing)" ] || exit 0
command -v apt-get >/dev/null || give_up "this is no Debian"
[ "$(id -u)" = 0 ] || give_up "only root can install"
export DEBIAN_FRONTEND=noninteractive
release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
apt-cache show tcpdump >/dev/null 2>&1 || apt-get update -qq || give_up "apt-get update failed"
plain=$(missing | grep -v suricata || true)
# shellcheck disable=SC2086  # one word a package
[ -z "$plain" ] || install $plain
has_suricata && exit 0
case $(candidate) in
1:[1-6].* | '' | '(none)')
    add_backports
    case $(candidate "$release-backports") in
    1:[1-6].* | '' | '(none)') give_up "there is no Suricata 7 for $release" ;;
    esac
    install suricata -t "$release-backports"
    ;;
*) install suricata ;;
esac
