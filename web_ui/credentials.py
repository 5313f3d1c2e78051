"""The staff's password and the API tokens: one file in the state folder, readable by its owner only.

``staff.json`` holds no secret in clear text but the key that signs sessions. There is no default
password: until one is set, nobody can sign in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import tempfile
import threading
from pathlib import Path
from typing import Any, Literal, get_args

from device.errors import RunError, UserError

Role = Literal["staff", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""``staff`` sees everything, reviews and looks after members; ``admin`` besides changes settings and tokens."""

FILE_NAME = "staff.json"
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 5
"""16 MB and some 0.2 s on a Pi 5 for each try (OWASP's equivalent of n = 2^17, p = 1, in less memory)."""

_one_at_a_time = threading.Lock()
"""A burst of logins costs time, not memory."""


class CredentialsError(RunError):
    """The file cannot be read or written; the text says why and what to do."""


class PasswordError(UserError):
    """The password is not acceptable; the text says what is."""


def set_password(state_dir: Path, password: str, role: Role = "staff") -> None:
    """Sets the password of a role; whoever is signed in with it must sign in again.

    Raises:
        PasswordError: too short or too long, or the other role's: it alone tells the roles apart.
        CredentialsError: the state folder cannot be written.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise PasswordError(
            f"the password has {len(password)} characters; {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} are allowed"
        )
    salt = secrets.token_bytes(16)
    stored = _read(state_dir)
    for other in ROLES:
        if other != role and other in stored.get("passwords", {}) and _fits(password, stored["passwords"][other]):
            raise PasswordError(f"this is the password of the role {other} already; choose another")
    stored.setdefault("passwords", {})[role] = {
        "scrypt": {"n": SCRYPT_N, "r": SCRYPT_R, "p": SCRYPT_P},
        "salt": _text(salt),
        "hash": _text(_scrypt(password, salt, SCRYPT_N, SCRYPT_R, SCRYPT_P)),
    }
    _write(state_dir, stored)


def add_token(state_dir: Path, name: str) -> str:
    """Makes a read-only API token, replacing one of the same name, and returns it: it is not stored in clear."""
    token = secrets.token_urlsafe(32)
    stored = _read(state_dir)
    stored.setdefault("tokens", {})[name] = hashlib.sha256(token.encode()).hexdigest()
    _write(state_dir, stored)
    return token


def drop_token(state_dir: Path, name: str) -> bool:
    """Ends a token; False when there is none of this name."""
    stored = _read(state_dir)
    if stored.get("tokens", {}).pop(name, None) is None:
        return False
    _write(state_dir, stored)
    return True


class Credentials:
    """Reads the file anew when it changed, so that a new password counts at once."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._stamp: tuple[int, int] | None = None
        self._stored: dict[str, Any] = {}

    def _current(self) -> dict[str, Any]:
        try:
            status = (self._state_dir / FILE_NAME).stat()
        except OSError:
            self._stamp, self._stored = None, {}
            return self._stored
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            self._stored = _read(self._state_dir)
            self._stamp = stamp
        return self._stored

    def password_is_set(self) -> bool:
        return bool(self._current().get("passwords"))

    def role_of(self, password: str) -> Role | None:
        """The role that this password opens; None for a wrong one."""
        if len(password) > LONGEST_PASSWORD:
            return None
        stored = self._current().get("passwords", {})
        # all are tried whatever the first says: the time taken tells nothing
        found = [role for role in ROLES if role in stored and _fits(password, stored[role])]
        return found[-1] if found else None

    def generation(self, role: str) -> str:
        """Changes with the role's password: sessions of an older one end. Empty for a role without one."""
        stored = self._current().get("passwords", {}).get(role)
        return "" if stored is None else str(stored["salt"])

    def token_names(self) -> list[str]:
        return sorted(self._current().get("tokens", {}))

    def knows_token(self, token: str) -> bool:
        digest = hashlib.sha256(token.encode()).hexdigest()
        known = self._current().get("tokens", {}).values()
        return any(hmac.compare_digest(digest, each) for each in known)

    def session_key(self) -> bytes:
        """The key that signs sessions; made at the first call."""
        stored = _read(self._state_dir)
        if "session_key" not in stored:
            stored["session_key"] = secrets.token_hex(32)
            _write(self._state_dir, stored)
        return bytes.fromhex(stored["session_key"])


def _fits(password: str, stored: dict[str, Any]) -> bool:
    cost = stored["scrypt"]
    with _one_at_a_time:
        offered = _scrypt(password, _bytes(stored["salt"]), cost["n"], cost["r"], cost["p"])
    return hmac.compare_digest(offered, _bytes(stored["hash"]))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=64 * 1024 * 1024, dklen=32)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(value: str) -> bytes:
    return base64.b64decode(value)


def _read(state_dir: Path) -> dict[str, Any]:
    path = state_dir / FILE_NAME
    try:
        stored = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CredentialsError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CredentialsError(f"{path} is damaged ({error}); delete it and set the password again") from error
    if not isinstance(stored, dict):
        raise CredentialsError(f"{path} is damaged (no JSON object); delete it and set the password again")
    return stored


def _write(state_dir: Path, stored: dict[str, Any]) -> None:
    """Whole or not at all: written beside, synced, then renamed."""
    path = state_dir / FILE_NAME
    try:
        state_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor, beside = tempfile.mkstemp(dir=state_dir, prefix=f".{FILE_NAME}-")  # made with mode 0600
        with os.fdopen(descriptor, "w") as file:
            owner = state_dir.stat()
            if os.geteuid() == 0 and owner.st_uid != 0:
                # an administrator's: for the service's group to read, which makes it its own again
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
                os.fchmod(file.fileno(), 0o640)
            json.dump(stored, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise CredentialsError(f"cannot write {path}: {error.strerror}") from error
