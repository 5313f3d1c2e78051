"""The web process: waitress, event streams, the bus on one side and browsers on the other."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest
from kiosk_scenes import LIFTING
from store_samples import ALERT
from web_server import free_port, serving

from device.bus import Publisher
from device.config import Config, Web
from web_ui.app import create_app
from web_ui.service import AddressError, make_server

CLIENTS = 50
ROOT = Path(__file__).parents[1]


class Stream:
    """A page's end of the event stream."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20.0)
        self._socket.sendall(f"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        self.text = b""

    def read_until(self, wanted: bytes) -> bool:
        """False when the stream ended before."""
        while wanted not in self.text:
            chunk = self._socket.recv(65536)
            if not chunk:
                return False
            self.text += chunk
        return True

    def close(self) -> None:
        self._socket.close()


@pytest.mark.system
def test_fifty_pages_hear_every_alert_and_pages_still_load(tmp_path: Path) -> None:
    with serving(tmp_path, max_streams=CLIENTS) as (machine, _address):
        port = machine.config.web.port
        machine.hub.clock = time.monotonic
        machine.publish(seq=1)
        streams = [Stream(port) for _ in range(CLIENTS)]
        assert all(stream.read_until(b"event: state") for stream in streams)
        machine.hub.publish(replace(ALERT, alert_id="the-one"))
        assert all(stream.read_until(b'"alert_id":"the-one"') for stream in streams)
        with closing(HTTPConnection("127.0.0.1", port, timeout=20.0)) as page:
            page.request("GET", "/")
            assert page.getresponse().status == 200
        one_more = Stream(port)
        assert one_more.read_until(b"all 50 event streams are in use; close another page")
        assert one_more.text.startswith(b"HTTP/1.1 503")
        for stream in [*streams, one_more]:
            stream.close()
        freed = threading.Event()
        for _ in range(400):
            machine.publish(seq=2)
            if machine.hub.streams() == 0:
                break
            freed.wait(0.05)
        assert machine.hub.streams() == 0


def test_a_port_in_use_is_named_in_one_line(tmp_path: Path) -> None:
    with serving(tmp_path) as (machine, _address):
        config = machine.config
        message = rf"^web: cannot listen on 127\.0\.0\.1 port {config.web.port}: .*in use$"
        with pytest.raises(AddressError, match=message):
            make_server(config, create_app(config, machine.hub))


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    with serving(tmp_path) as (machine, _address):
        config = Config(paths=machine.config.paths, web=Web(host="192.0.2.1", port=free_port()))
        with pytest.raises(AddressError, match=r"^web: cannot listen on 192\.0\.2\.1 port \d+: "):
            make_server(config, machine.app)


@pytest.mark.system
def test_the_process_shows_what_the_bus_carries_and_ends_at_once_with_a_stream_open(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "legpress.toml"
    config.write_text(
        f'[paths]\nstate_dir = "{tmp_path}/state"\nruntime_dir = "{tmp_path}/run"\n[web]\nport = {port}\n'
    )
    publisher = Publisher(tmp_path / "run", "live")
    code = f"""
import sys
from pathlib import Path
from device import config_file
from web_ui.service import serve
sys.exit(serve(config_file.load(Path({str(config)!r})), lambda address: print(address, flush=True)))
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"http://127.0.0.1:{port}/\n"
        stream = Stream(port)
        ended = threading.Event()

        def talk() -> None:
            seq = 0
            while not ended.wait(0.1):
                seq += 1
                publisher.send(replace(LIFTING, seq=seq))

        talking = threading.Thread(target=talk)
        talking.start()
        heard = stream.read_until(b'"phase":"lifting"')
        ended.set()
        talking.join()
        assert heard
        assert resident_mb(process.pid) <= 90
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10.0) == 0
        stream.close()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr] # a pipe was asked for
        publisher.close()


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_the_web_process_needs_neither_numpy_nor_alembic() -> None:
    code = "import sys, web_ui.service; print(sorted({'numpy', 'alembic', 'cv2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
