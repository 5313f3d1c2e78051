"""A member of staff who is signed in to the machine of ``tests/chaos.py``, and stays so."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from typing import Any

from device.config import Config
from web_ui.credentials import set_password

PASSWORD = "only for this machine"
PAGE_ROWS = 5


class StaffBrowser:
    """Sets the password of a machine that is about to start. For one thread."""

    def __init__(self, config: Config) -> None:
        set_password(config.paths.state_dir, PASSWORD)
        self._address = f"http://127.0.0.1:{config.web.port}"
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def sign_in(self) -> None:
        found = re.search(r'name="form_token" value="([^"]+)"', self._read("/staff/login"))
        assert found is not None
        self._read("/staff/login", urllib.parse.urlencode({"form_token": found[1], "password": PASSWORD}).encode())

    def is_signed_in(self) -> bool:
        """The cookie is still good for a page of the staff's; else the login page comes. Raises OSError."""
        return 'name="password"' not in self._read("/staff/sets")

    def all_ids(self, kind: str) -> list[str]:
        """The id of every set or alert (``kind``: "sets", "alerts"), page by page as the dashboard leafs. Raises
        OSError."""
        ids: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            ask = {"limit": str(PAGE_ROWS), **({"cursor": cursor} if cursor else {})}
            page: dict[str, Any] = json.loads(self._read(f"/api/v1/{kind}?{urllib.parse.urlencode(ask)}"))
            ids += [row["id"] for row in page["items"]]
            cursor = page["next_cursor"]
        return ids

    def _read(self, path: str, body: bytes | None = None) -> str:
        with self._opener.open(self._address + path, body, timeout=5) as answer:
            text: str = answer.read().decode("utf-8")
            return text
