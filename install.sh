#!/bin/bash
# Installs, upgrades or removes the leg press companion on Debian or Raspberry Pi OS. See docs/operations.md.
#
# Every step looks first whether it is done, so that a second run changes nothing and a run after an interruption
# goes on where the first one stopped. All state is in /var/lib/legpress, all settings in /etc/legpress.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: sudo ./install.sh [--dry-run] [--lan NAME] [--no-kiosk] [--simulated]
       sudo ./install.sh --uninstall [--purge] [--dry-run]

  --dry-run     say what would be done, and do nothing
  --lan NAME    serve the staff's pages on the network too, over TLS under this name (by Debian's Caddy)
  --no-kiosk    no screen on the machine: leave Chromium and its compositor out
  --simulated   the simulated machine also on a Raspberry Pi (elsewhere it is the only choice)
  --uninstall   remove programs and services; data and settings stay
  --purge       with --uninstall: remove data and settings, too
TEXT
}

APP=/opt/legpress
ETC=/etc/legpress
STATE=/var/lib/legpress
CONFIG=$ETC/config.toml
UNITS=/etc/systemd/system
SERVICES=(legpress-device legpress-vision legpress-web)
BOOT=/boot/firmware/config.txt
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

DRY='' LAN='' UNINSTALL='' PURGE='' SIMULATED='' KIOSK=1
stop() { echo "install: $1" >&2; exit "${2:-1}"; }
say() { echo "-- $*"; }
# What changes the system goes through these two, so that --dry-run can leave it out.
run() { if [ -n "$DRY" ]; then echo "   would run: $*"; else "$@"; fi; }
put() { # put FILE MODE < content; only where it differs
    local content; content=$(cat; echo x); content=${content%x}
    if [ -f "$1" ] && [ "$(cat "$1"; echo x)" = "${content}x" ]; then return; fi
    if [ -n "$DRY" ]; then echo "   would write: $1"; return; fi
    mkdir -p "$(dirname "$1")"
    printf '%s' "$content" > "$1.new"
    chmod "$2" "$1.new"
    mv "$1.new" "$1"
}
live() { [ -d /run/systemd/system ]; }

while [ $# -gt 0 ]; do
    case $1 in
        --dry-run) DRY=1 ;;
        --uninstall) UNINSTALL=1 ;;
        --purge) PURGE=1 ;;
        --no-kiosk) KIOSK= ;;
        --simulated) SIMULATED=1 ;;
        --lan)
            LAN=${2:-}
            [[ $LAN =~ ^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$ ]] \
                || stop "--lan needs the name under which the network knows this machine, such as legpress.local" 2
            shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; stop "unknown option $1" 2 ;;
    esac
    shift
done
[ -z "$PURGE" ] || [ -n "$UNINSTALL" ] || stop "--purge goes with --uninstall only" 2
[ -n "$DRY" ] || [ "$(id -u)" = 0 ] || stop "run it as root: sudo $0" 2

is_pi() { grep -qs "Raspberry Pi" /proc/device-tree/model; }
is_pi || SIMULATED=1

version_of() { sed -n 's/^version = "\(.*\)"$/\1/p' "$1" | head -1; }
older() { [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -1)" = "$1" ]; }

check_system() {
    local id; id=$(sed -n 's/^ID\(_LIKE\)\?="\?\([^"]*\)"\?$/\2/p' /etc/os-release | xargs)
    case " $id " in
        *" debian "* | *" raspbian "*) ;;
        *) stop "this is no Debian and no Raspberry Pi OS ($id)" 2 ;;
    esac
    command -v apt-get >/dev/null || stop "there is no apt-get on this system" 2
    [ -z "$(command -v python3)" ] || python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
        || stop "needs Debian 12 or newer (Python 3.11)" 2
    if [ "$(uname -m)" = aarch64 ] && ! grep -q atomics /proc/cpuinfo; then
        stop "this processor (a Raspberry Pi 4 or older) cannot run the pose model; a Pi 5 can" 2
    fi
    local free_mb; free_mb=$(df --output=avail -m /opt | tail -1)
    [ -x $APP/bin/legpress ] || [ "$free_mb" -gt 2500 ] || stop "needs 2.5 GB of free disk, /opt has $free_mb MB"
}

check_version() {
    local new old; new=$(version_of "$SOURCE/pyproject.toml")
    [ -n "$new" ] || stop "run it from the folder of the program" 2
    [ -f $APP/version ] || return 0
    old=$(cat $APP/version)
    if older "$new" "$old"; then
        stop "version $old is installed, this is $new: a downgrade is refused, for the older program cannot read the \
newer database. To go back: ./install.sh --uninstall, install $new, then 'legpress restore' a backup from before" 2
    fi
}

packages() {
    local wanted=(python3 python3-venv ca-certificates libegl1 libgles2 libgl1 libglib2.0-0 libxcb1 udev)
    [ -n "$SIMULATED" ] || wanted+=(python3-picamera2 python3-lgpio python3-spidev)
    [ -z "$KIOSK" ] || wanted+=(cage chromium kbd libpam-systemd fonts-dejavu-core)
    [ -z "$LAN" ] || wanted+=(caddy)
    # Debian 13 has some under another name, which says that it provides the old one.
    local lacking=() name installed
    installed=$(dpkg-query -W -f '${db:Status-Abbrev}, ${Package}, ${Provides},\n' | grep '^ii')
    for name in "${wanted[@]}"; do
        grep -Eq ", ${name//./\\.}( \(|,)" <<< "$installed" || lacking+=("$name")
    done
    [ ${#lacking[@]} -gt 0 ] || return 0
    say "Debian packages: ${lacking[*]}"
    run dpkg --configure -a
    run apt-get update -qq
    run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${lacking[@]}"
}

users_and_folders() {
    say "users and folders"
    put /etc/sysusers.d/legpress.conf 644 < "$SOURCE/systemd/legpress.sysusers"
    put /etc/tmpfiles.d/legpress.conf 644 < "$SOURCE/systemd/legpress.tmpfiles"
    put /etc/udev/rules.d/60-legpress.rules 644 < "$SOURCE/systemd/60-legpress.rules"
    run systemd-sysusers /etc/sysusers.d/legpress.conf
    run systemd-tmpfiles --create /etc/tmpfiles.d/legpress.conf
    if live; then run udevadm control --reload; run udevadm trigger --action=change; fi
}

back_up_first() {
    [ -f $STATE/legpress.sqlite3 ] && [ -f $APP/version ] || return 0
    [ "$(cat $APP/version)" != "$(version_of "$SOURCE/pyproject.toml")" ] || return 0
    say "backup before the upgrade"
    run runuser -u legpress-device -- $APP/bin/legpress backup --config $CONFIG
}

program() {
    # The mark is written last: without it, or with another one, pip runs again and completes what is there.
    local mark; mark=$(cd "$SOURCE" && find pyproject.toml requirements.hashes device vision web_ui -type f \
        ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1)
    if [ "$(cat $APP/installed 2>/dev/null)" = "$mark" ]; then return; fi
    say "program and libraries in $APP (some minutes)"
    run rm -f $APP/installed
    local venv=(python3 -m venv)
    [ -n "$SIMULATED" ] || venv+=(--system-site-packages)
    [ -x $APP/bin/pip ] || run "${venv[@]}" --clear $APP
    # From a copy: building must not leave anything in the folder it came from, which may be read-only.
    local copy
    if [ -n "$DRY" ]; then copy=$SOURCE; else copy=$(mktemp -d); fi
    [ -n "$DRY" ] || (cd "$SOURCE" && tar -c --exclude=__pycache__ pyproject.toml README.md LICENSE device vision web_ui) \
        | tar -x -C "$copy"
    # Only files whose hashes are known; then the product itself, built with what was just installed.
    local pip=("$APP/bin/pip" install --quiet --disable-pip-version-check --no-deps)
    run "${pip[@]}" --require-hashes --requirement "$SOURCE/requirements.hashes"
    run "${pip[@]}" --force-reinstall --no-build-isolation "$copy"
    [ -n "$DRY" ] || rm -rf "$copy"
    run install -d $APP/share/docs
    run cp "$SOURCE"/docs/*.md $APP/share/docs/
    run ln -sfn $APP/bin/legpress /usr/local/bin/legpress
    version_of "$SOURCE/pyproject.toml" | put $APP/version 644
    echo "$mark" | put $APP/installed 644
}

settings() {
    if [ ! -f $CONFIG ]; then
        say "settings: $CONFIG"
        {
            echo "# Every key, its range and its reason: $APP/share/docs/config.example.toml"
            if [ -n "$SIMULATED" ]; then
                simulated
            else
                printf '[paths]\nstate_dir = "%s"\nruntime_dir = "/run/legpress"\nmodel_dir = "%s/models"\n' $STATE $APP
                [ -z "$LAN" ] || printf '\n[web]\nnames = ["%s"]\n' "$LAN"
            fi
        } | put $CONFIG 640
    fi
    run cp "$SOURCE/device/config.example.toml" $APP/share/docs/
    run chgrp -R legpress $ETC
    run chmod 2750 $ETC
    run $APP/bin/legpress config check --config $CONFIG
}

simulated() { # the settings of the simulated machine, cameras and calibrations included
    [ -z "$DRY" ] || return 0
    $APP/bin/python - $STATE $APP/models "$LAN" <<'PYTHON'
import sys
from pathlib import Path
from device.command.config import to_toml
from device.config import Config, Paths, Web
from device.scenario import load_scenario
state, models, name = sys.argv[1:]
paths = Paths(state_dir=Path(state), runtime_dir=Path("/run/legpress"), model_dir=Path(models))
config = Config(paths=paths, web=Web(names=(name,) if name else ()))
print(to_toml(load_scenario("mixed").configure(config)), end="")
PYTHON
}

model() {
    say "pose model"
    run $APP/bin/legpress model build --config $CONFIG
    run chmod -R a+rX $APP/models
}

services() {
    say "services"
    local unit
    for unit in legpress-{device,vision,web,kiosk,backup}.service legpress-backup.timer legpress.target; do
        put "$UNITS/$unit" 644 < "$SOURCE/systemd/$unit"
    done
    if [ -n "$SIMULATED" ]; then
        put $UNITS/legpress-vision.service.d/simulated.conf 644 <<TEXT
# The simulated lifter begins when the cameras see.
[Service]
ExecStartPost=$APP/bin/python -m device.scenario_clock /run/legpress
TEXT
    else
        run rm -rf $UNITS/legpress-vision.service.d
    fi
    if [ -n "$KIOSK" ]; then
        put /etc/chromium/policies/managed/legpress.json 644 < "$SOURCE/systemd/chromium-policy.json"
        run systemctl --quiet enable legpress-kiosk.service
    fi
    run systemctl --quiet enable legpress.target legpress-backup.timer
}

journal() {
    put /etc/systemd/journald.conf.d/legpress.conf 644 <<'TEXT'
# What happened before the power went is what one wants to know; a card has room for so much of it.
[Journal]
Storage=persistent
SystemMaxUse=200M
TEXT
}

board() { # what a Raspberry Pi itself needs
    [ -z "$SIMULATED" ] && [ -f $BOOT ] || return 0
    put /etc/systemd/system.conf.d/legpress.conf 644 <<'TEXT'
# The Pi's own watchdog: a computer that hangs starts again.
[Manager]
RuntimeWatchdogSec=15
TEXT
    if ! grep -q "^# legpress begin" $BOOT; then
        say "SPI, strict pins and the watchdog in $BOOT (after the next start)"
        { cat $BOOT; printf '\n# legpress begin\n[all]\ndtparam=spi=on\ndtparam=strict_gpiod\ndtparam=watchdog=on\n# legpress end\n'; } \
            | put $BOOT 755
    fi
}

password() {
    if grep -qs '"passwords"' $STATE/staff.json; then return; fi
    if [ -n "$DRY" ]; then echo "   would ask for: the staff's password"; return; fi
    if [ -t 0 ]; then
        say "a password for the staff's pages (10 characters or more)"
        until runuser -u legpress-web -- $APP/bin/legpress staff set-password --config $CONFIG; do :; done
    elif [ -n "$LAN" ]; then
        stop "no password is set and there is no terminal to ask on: the pages are not opened to the network. \
Run: sudo -u legpress-web $APP/bin/legpress staff set-password --config $CONFIG"
    else
        say "no terminal: set the staff's password later with
   sudo -u legpress-web $APP/bin/legpress staff set-password --config $CONFIG"
    fi
}

lan() {
    [ -n "$LAN" ] || return 0
    say "pages for the network, by Caddy: https://$LAN/staff"
    if [ -z "$DRY" ] && ! $APP/bin/legpress config show --config $CONFIG | grep -q "^names = .*\"$LAN\""; then
        stop "add names = [\"$LAN\"] to [web] in $CONFIG, then run this again" 2
    fi
    if [ -f /etc/caddy/Caddyfile ] && ! grep -q "legpress" /etc/caddy/Caddyfile \
        && sed -e '/^#/d;/^$/d' /etc/caddy/Caddyfile | grep -qvx -e ':80 {' -e '}' -e '[[:space:]].*'; then
        stop "/etc/caddy/Caddyfile serves something else; add what systemd/Caddyfile holds to it yourself" 2
    fi
    sed "s/LEGPRESS_NAME/$LAN/" "$SOURCE/systemd/Caddyfile" | put /etc/caddy/Caddyfile 644
    run systemctl --quiet enable caddy.service
    if live; then run systemctl reload-or-restart caddy.service; fi
}

start() {
    if live; then
        run systemctl daemon-reload
        run systemctl restart systemd-journald.service
        run systemctl restart legpress.target "${SERVICES[@]}"
        [ -z "$KIOSK" ] || run systemctl restart legpress-kiosk.service
        run systemctl restart legpress-backup.timer
    fi
    say "done: http://127.0.0.1:8080/ on this machine${LAN:+, https://$LAN/staff on the network}"
    say "what every light and message means: $APP/share/docs/operations.md; how everything is: $APP/bin/legpress doctor"
}

uninstall() {
    say "removing services and programs"
    if live; then
        run systemctl stop legpress.target "${SERVICES[@]}" legpress-kiosk legpress-backup.timer || true
    fi
    if [ -e $UNITS/legpress.target ]; then
        run systemctl --quiet disable legpress.target legpress-kiosk.service legpress-backup.timer
    fi
    run rm -rf $UNITS/legpress.target $UNITS/legpress-{device,vision,web,kiosk,backup}.service \
        $UNITS/legpress-backup.timer $UNITS/legpress-vision.service.d /etc/systemd/system.conf.d/legpress.conf \
        /etc/systemd/journald.conf.d/legpress.conf \
        /etc/sysusers.d/legpress.conf /etc/tmpfiles.d/legpress.conf /etc/udev/rules.d/60-legpress.rules \
        /etc/chromium/policies/managed/legpress.json /usr/local/bin/legpress $APP
    if grep -qs "^# legpress begin" $BOOT; then run sed -i '/^# legpress begin/,/^# legpress end/d' $BOOT; fi
    if grep -qs legpress /etc/caddy/Caddyfile; then run rm /etc/caddy/Caddyfile; fi
    if live; then run systemctl daemon-reload; fi
    if [ -n "$PURGE" ]; then
        say "removing data, settings and users"
        run rm -rf $STATE $ETC
        local user
        for user in legpress-device legpress-vision legpress-web legpress-kiosk; do
            if getent passwd $user >/dev/null; then run userdel $user; fi
        done
        if getent group legpress >/dev/null; then run groupdel legpress; fi
    else
        say "kept: $STATE (data, backups) and $ETC (settings)"
    fi
    say "done; Debian packages stay"
}

if [ -n "$UNINSTALL" ]; then uninstall; exit 0; fi
check_system
check_version
packages
users_and_folders
back_up_first
program
settings
model
services
journal
board
password
lan
start
