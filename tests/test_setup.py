"""make: sets up what is missing, says what the system lacks, and does nothing twice."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that make looks at, and a pip and a legpress that only say how they were called."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "ARGS"))}
    return subprocess.run(["make", *words], cwd=folder, env=environ, capture_output=True, text=True, check=False)


def set_up(folder: Path) -> None:
    """As after a first run: everything there, newer than what it is made from."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("bin/python", "installed", "installed-dev", "checked-tests"):
        (folder / ".venv" / name).touch()


def test_the_second_run_of_the_demo_starts_at_once(checkout: Path) -> None:
    set_up(checkout)
    assert make(checkout, "-n", "demo").stdout.split() == [".venv/bin/legpress", "demo"]
    assert make(checkout, "-n", "demo", "ARGS=--once").stdout.split() == [".venv/bin/legpress", "demo", "--once"]


def test_the_second_run_of_the_tests_only_proves_the_model_and_starts(checkout: Path) -> None:
    set_up(checkout)
    assert make(checkout, "-n", "test").stdout.splitlines() == [
        ".venv/bin/legpress model build",
        ".venv/bin/python -m pytest ",
    ]


@pytest.mark.parametrize("changed", ["pyproject.toml", "requirements.lock"])
def test_changed_dependencies_are_installed_again(checkout: Path, changed: str) -> None:
    set_up(checkout)
    newer_ns = (checkout / ".venv" / "installed").stat().st_mtime_ns + 10**9
    os.utime(checkout / changed, ns=(newer_ns, newer_ns))
    assert "pip install" in make(checkout, "-n", "demo").stdout


def test_the_first_run_checks_the_system_before_it_sets_anything_up(checkout: Path) -> None:
    python = checkout / "bare-python"
    python.write_text('#!/bin/sh\necho "legpress: this system lacks x ($*)" >&2\nexit 1\n')
    python.chmod(0o755)
    run = make(checkout, "demo", f"PYTHON={python}")
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.splitlines()[0] == "legpress: this system lacks x (-m device.command.prerequisites)"
    assert not (checkout / ".venv").exists()


def test_a_missing_python_is_said_in_plain_words(checkout: Path) -> None:
    run = make(checkout, "demo", "PYTHON=python9")
    assert run.returncode == 2
    assert run.stderr.splitlines()[0] == "legpress: no python9; run: sudo apt-get install python3 python3-venv"


def test_the_script_that_ci_runs_is_sound_and_may_be_executed() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
