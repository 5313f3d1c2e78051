#!/bin/bash
# Proves install.sh in a fresh Debian root: interrupted, completed, run again, upgraded, downgraded, removed.
#
#   sudo tests/install_in_root.sh DIR [SUITE]
#
# DIR gets a Debian (default: trixie) by debootstrap, unless it holds one already. Needs debootstrap, the network and
# 4 GB. The root has no running systemd: that the units start is proved on a real machine.
# The staff's pages are asked for over TLS, on this computer's ports 80, 443 and 8080, which must be free; needs curl.
# What fails is told with its line; it ends with "everything held" or not at all well.
set -Eeuo pipefail
trap 'code=$?; echo "$0: line $LINENO failed with $code, in \"${STEP:-the preparation}\": $BASH_COMMAND" >&2' ERR
ROOT=$(realpath -m "${1:?usage: $0 DIR [SUITE]}")
SUITE=${2:-trixie}
NAME=legpress.test
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() { echo "$0: in \"$STEP\": $*" >&2; exit 1; }
for port in 80 443 8080; do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        echo "$0: port $port is taken on this computer; stop what listens there" >&2
        exit 1
    fi
done
if [ ! -e "$ROOT/etc/debian_version" ]; then
    debootstrap --variant=minbase --include=ca-certificates,systemd,udev "$SUITE" "$ROOT" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
fi
# How this computer reaches its package sources.
for file in /etc/resolv.conf /etc/pip.conf /etc/apt/apt.conf.d /usr/local/share/ca-certificates; do
    if [ -e "$file" ]; then mkdir -p "$ROOT$(dirname "$file")" && cp -rL "$file" "$ROOT$(dirname "$file")/"; fi
done
# A system that was really installed knows itself; of this, some suites' roots lack the file.
[ -e "$ROOT/etc/hosts" ] || echo "127.0.0.1 localhost" > "$ROOT/etc/hosts"
mkdir -p "$ROOT/src"
mount --bind "$SOURCE" "$ROOT/src"
mount -t proc proc "$ROOT/proc"
mount --bind /sys "$ROOT/sys"
mount -t devtmpfs dev "$ROOT/dev" 2>/dev/null || mount --bind /dev "$ROOT/dev"
served=()
stop_serving() {
    [ ${#served[@]} -gt 0 ] || return 0
    kill "${served[@]}" 2>/dev/null || true
    wait "${served[@]}" 2>/dev/null || true # what they end with when they are told to
    served=()
}
trap 'stop_serving; umount "$ROOT/dev" "$ROOT/sys" "$ROOT/proc" "$ROOT/src"' EXIT

inside() { chroot "$ROOT" env -u LD_PRELOAD HOME=/tmp PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
step() { STEP=$*; echo; echo "=== $*"; }
ends_with() { # ends_with CODE COMMAND...
    local code=0
    "${@:2}" </dev/null || code=$?
    [ "$code" = "$1" ] || fail "ended with $code, not $1: ${*:2}"
}
listing() { (cd "$ROOT" && find etc/legpress etc/systemd/system etc/sysusers.d etc/tmpfiles.d opt/legpress/version \
    opt/legpress/installed -type f -printf '%p %m %u %g %T@\n' | sort); }

inside update-ca-certificates >/dev/null 2>&1 || true
step "interrupted: killed after some seconds, twice"
for seconds in 15 60; do
    code=0
    timeout -s KILL $seconds chroot "$ROOT" env HOME=/tmp PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /src/install.sh --no-kiosk </dev/null || code=$?
    echo "ended with $code"
done

step "completed"
inside /src/install.sh --no-kiosk </dev/null
inside /opt/legpress/bin/legpress --version

step "without a password nothing is opened to the network"
ends_with 1 inside /src/install.sh --no-kiosk --lan $NAME
[ ! -e "$ROOT/var/lib/legpress/staff.json" ]
if grep -qs legpress "$ROOT/etc/caddy/Caddyfile"; then fail "Caddy would serve all the same"; fi
echo "a long enough password" | inside runuser -u legpress-web -- \
    /opt/legpress/bin/legpress staff set-password --stdin --config /etc/legpress/config.toml
listing > "$ROOT/tmp/first"

step "again: nothing changes"
inside /src/install.sh --no-kiosk </dev/null > "$ROOT/tmp/again"
cat "$ROOT/tmp/again"
if grep -E "Debian packages|password" "$ROOT/tmp/again"; then fail "it does again what is done"; fi
listing | diff "$ROOT/tmp/first" - && echo "nothing changed"

step "the services' users can do their work"
chroot --userspec=legpress-device:legpress "$ROOT" env -u LD_PRELOAD HOME=/tmp PATH=/usr/bin:/bin \
    /opt/legpress/bin/legpress run device --config /etc/legpress/config.toml &
served+=($!)
# until the database is of this program's form: killed in the midst of a migration it would be half ready
is_ready() { inside runuser -u legpress-device -- /opt/legpress/bin/python -c 'import sys; from pathlib import Path
from device.store.prepare import revision_of; from device.store.schema import HEAD_REVISION
sys.exit(revision_of(Path("/var/lib/legpress/legpress.sqlite3")) != HEAD_REVISION)'; }
for _ in $(seq 120); do if is_ready; then break; fi; sleep 1; done
is_ready
stop_serving
inside runuser -u legpress-device -- /opt/legpress/bin/legpress backup --config /etc/legpress/config.toml
if inside runuser -u legpress-kiosk -- cat /var/lib/legpress/legpress.sqlite3 >/dev/null 2>&1; then
    fail "the screen's user can read the database"
fi

step "the staff's pages on the network"
# its name must stand in the settings, which are not changed behind anybody's back
ends_with 2 inside /src/install.sh --no-kiosk --lan $NAME
sed -i "s/^names = \[\]$/names = [\"$NAME\"]/" "$ROOT/etc/legpress/config.toml"
inside /src/install.sh --no-kiosk --lan $NAME </dev/null
inside caddy validate --config /etc/caddy/Caddyfile
chroot --userspec=legpress-web:legpress "$ROOT" env -u LD_PRELOAD HOME=/tmp PATH=/usr/bin:/bin \
    /opt/legpress/bin/legpress run web --config /etc/legpress/config.toml &
served+=($!)
chroot "$ROOT" env -u LD_PRELOAD HOME=/var/lib/caddy PATH=/usr/bin:/bin caddy run --config /etc/caddy/Caddyfile &
served+=($!)
authority=$ROOT/var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt
ask() { curl --silent --max-time 10 --cacert "$authority" --resolve "$NAME:443:127.0.0.1" --resolve "$NAME:80:127.0.0.1" "$@"; }
status() { ask --output /dev/null --write-out '%{http_code}' "$@" || true; }
answers() { # answers CODE WHY PATH [CURL OPTION...]
    local got; got=$(status "https://$NAME$3" "${@:4}")
    [ "$got" = "$1" ] || fail "$3 answers $got, not $1 ($2)"
    echo "$3 ${*:4}: $got ($2)"
}
for _ in $(seq 60); do if [ "$(status "https://$NAME/staff/login")" = 200 ]; then break; fi; sleep 1; done
answers 200 "the login is there" /staff/login
answers 302 "to the login" /staff
answers 401 "nobody is signed in" /api/v1/sets
answers 403 "the screen's page is for the machine alone" /
answers 403 "so is what it shows" /api/v1/state
# over HTTP/1.1, for some versions of curl take an answer that comes before all is sent for a fault of HTTP/2
head -c 200000 /dev/zero > "$ROOT/tmp/large"
answers 413 "too large" /staff/login --http1.1 --data-binary @"$ROOT/tmp/large"
answer=$(ask --header "Host: elsewhere.example" "https://$NAME/staff/login")
[ -z "$answer" ] || fail "under a name that is not its own, Caddy says: ${answer:0:200}"
answer=$(ask --head "http://$NAME/staff/login")
[[ $answer == *"https://$NAME/staff/login"* ]] || fail "plain http is not sent to https: ${answer:0:200}"
stop_serving

step "a downgrade is refused"
echo 99.0.0 > "$ROOT/opt/legpress/version"
ends_with 2 inside /src/install.sh --no-kiosk

step "an upgrade takes a backup first"
echo 0.0.1 > "$ROOT/opt/legpress/version"
rm "$ROOT/opt/legpress/installed"
before=$(find "$ROOT/var/lib/legpress/backups" -name '*.sqlite3' | wc -l)
sleep 1
inside /src/install.sh --no-kiosk </dev/null
[ "$(find "$ROOT/var/lib/legpress/backups" -name '*.sqlite3' | wc -l)" -gt "$before" ]

step "removed: data stay, then go"
inside /src/install.sh --uninstall
test -s "$ROOT/var/lib/legpress/legpress.sqlite3"
[ ! -e "$ROOT/opt/legpress" ]
inside /src/install.sh --uninstall --purge
[ ! -e "$ROOT/var/lib/legpress" ]
[ ! -e "$ROOT/etc/legpress" ]
echo
echo "install.sh: everything held"
