"""``legpress run`` with input that cannot work: one clear line, exit code 2, nothing half started."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SIMULATED = """
[pins]
factory = "mock"
[simulation]
scenario = "clean"
"""


def legpress(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "device.command", "run", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str, state: str = "state") -> str:
        path = tmp_path / "config.toml"
        path.write_text(f'[paths]\nruntime_dir = "run"\nstate_dir = "{state}"\n{text}')
        return str(path)

    return write


def test_a_configuration_that_does_not_exist(tmp_path: Path) -> None:
    done = legpress("device", "--config", str(tmp_path / "none.toml"))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"{tmp_path / 'none.toml'}" in done.stderr


def test_a_configuration_that_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("this is = = not toml")
    done = legpress("device", "--config", str(tmp_path / "bad.toml"))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "bad.toml:1: " in done.stderr and "not valid TOML" in done.stderr


def test_a_state_folder_that_is_a_file(configured: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = legpress("device", "--config", configured(SIMULATED, state="taken"))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"legpress: paths.state_dir: {tmp_path / 'taken'} cannot be written (File exists); "
        "name a folder of your own, or give this one to the user that runs legpress"
    ]


def test_a_machine_without_any_camera(configured: Callable[..., str]) -> None:
    done = legpress("vision", "--config", configured(""))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith("legpress: no camera: camera side: picamera2 cannot be imported")


def test_a_camera_clip_that_is_no_video(configured: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_text("not a video")
    camera = '[[cameras]]\nname = "side"\nsource = "clip"\nclip = "clip.mp4"\n'
    done = legpress("vision", "--config", configured(camera))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"no camera: {tmp_path / 'clip.mp4'}: not a video" in done.stderr


def test_a_port_that_another_program_holds(configured: Callable[..., str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = legpress("web", "--config", configured(f"[web]\nport = {port}\n"))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"legpress: web: cannot listen on 127.0.0.1 port {port}: Address already in use"
    )


def test_a_socket_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = tmp_path / "config.toml"
    config.write_text(f'[paths]\nruntime_dir = "file/run"\nstate_dir = "state"\n{SIMULATED}')
    done = legpress("device", "--config", str(config))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("legpress: paths.runtime_dir: cannot make")
