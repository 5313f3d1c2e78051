"""install.sh: sound, and harmless until it is meant. What it does to a whole system is proved by install_in_root.sh."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "install.sh"


def install(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("script", ["install.sh", ".ci/run", "tests/install_in_root.sh"])
def test_a_script_gives_shellcheck_nothing_to_say(script: str) -> None:
    done = subprocess.run(["shellcheck", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_dry_run_names_every_step_and_changes_nothing() -> None:
    done = install("--dry-run", "--no-kiosk")
    assert done.returncode == 0, done.stderr
    for step in ("users and folders", "program and libraries", "settings", "pose model", "services"):
        assert f"-- {step}" in done.stdout
    assert not [line for line in done.stdout.splitlines() if not re.match(r"-- |   would ", line)]
    assert not Path("/opt/legpress").exists()
    assert not Path("/etc/legpress").exists()
    assert "would ask for: the staff's password" in done.stdout
    assert "kiosk.service\n   would run: systemctl --quiet enable legpress-kiosk" not in done.stdout


def test_a_dry_run_for_the_network_sets_up_caddy() -> None:
    done = install("--dry-run", "--lan", "legpress.local")
    assert done.returncode == 0, done.stderr
    assert "would write: /etc/caddy/Caddyfile" in done.stdout
    assert done.stdout.splitlines()[-2].endswith("https://legpress.local/staff on the network")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lan",), "--lan needs the name"),
        (("--lan", "bad name; rm"), "--lan needs the name"),
        (("--purge",), "--purge goes with --uninstall only"),
        (("--upgrade",), "unknown option --upgrade"),
    ],
)
def test_a_wrong_option_is_said_and_nothing_is_done(words: tuple[str, ...], said: str) -> None:
    done = install("--dry-run", *words)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"install: {said}")
    assert done.stdout == ""


def test_uninstalling_keeps_the_data_unless_told_otherwise() -> None:
    kept, purged = install("--dry-run", "--uninstall"), install("--dry-run", "--uninstall", "--purge")
    assert (kept.returncode, purged.returncode) == (0, 0)
    assert "kept: /var/lib/legpress" in kept.stdout
    assert "rm -rf /var/lib/legpress /etc/legpress" not in kept.stdout
    assert "rm -rf /var/lib/legpress /etc/legpress" in purged.stdout


def test_what_the_script_installs_is_what_uninstalling_removes() -> None:
    text = SCRIPT.read_text()
    removed = text[text.index("uninstall() {") :]
    for path in re.findall(r"put (/etc/(?!caddy)\S+)", text):
        assert path in removed, path
    for unit in re.findall(r"legpress-\w+\.timer", text):
        assert unit in removed
