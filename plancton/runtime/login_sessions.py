"""Who is logged in: by logind, else by utmp."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

_GRAPHICAL = ("x11", "wayland", "mir", "web")


@dataclass(frozen=True, slots=True)
class LoginSession:
    """A person at the machine; ``terminal`` is below /dev, empty for a graphical session."""

    terminal: str


def login_sessions() -> list[LoginSession]:
    """Return the sessions of people. Where logind knows none at all, utmp may still know some."""
    logind = _logind()
    ids = logind.ids() if logind else []
    if logind and ids:
        return [session for id_ in ids if (session := logind.person(id_))]
    return [
        LoginSession(each.terminal or "")
        for each in psutil.users()
        if not each.pid or psutil.pid_exists(int(each.pid))
    ]


@functools.cache
def _logind() -> SdLogin | None:
    """Return libsystemd; None where it is not installed."""
    try:
        return SdLogin()
    except (OSError, AttributeError):
        return None


class SdLogin:
    """sd-login(3) of libsystemd, which reads logind's files below /run and asks nobody."""

    def __init__(self) -> None:
        """Load the library; OSError or AttributeError if it is not there."""
        self._lib = ctypes.CDLL("libsystemd.so.0")
        self._free = ctypes.CDLL(None).free
        self._free.argtypes = [ctypes.c_void_p]
        self._get_sessions = self._lib.sd_get_sessions
        # Since systemd 254; before, a session without its leader is known by its state alone.
        self._get_leader: Callable[..., int] | None = getattr(
            self._lib, "sd_session_get_leader", None
        )

    def ids(self) -> list[str]:
        """Return the IDs of all sessions."""
        array = ctypes.POINTER(ctypes.c_void_p)()
        count = self._get_sessions(ctypes.byref(array))
        found = [self._taken(array[i]) for i in range(max(0, count))] if array else []
        self._free(array)
        return found

    def person(self, id_: str) -> LoginSession | None:
        """Return a session if somebody uses it.

        Greeters, managers and background jobs are nobody; a session that is closing, or whose
        leader has died, is a ghost; one without a terminal is a command by ssh or cron, no person.
        """
        kind, state = self._text("class", id_), self._text("state", id_)
        if not kind.startswith("user") or state in ("", "closing") or self._leader_died(id_):
            return None
        if self._text("type", id_) in _GRAPHICAL:
            return LoginSession("")
        terminal = self._text("tty", id_)
        return LoginSession(terminal) if terminal else None

    def _text(self, name: str, id_: str) -> str:
        """Return a property of a session; empty if it has none, or has just gone."""
        value = ctypes.c_void_p()
        get = getattr(self._lib, f"sd_session_get_{name}")
        return self._taken(value.value) if get(id_.encode(), ctypes.byref(value)) >= 0 else ""

    def _leader_died(self, id_: str) -> bool:
        leader = ctypes.c_int()
        if self._get_leader is None or self._get_leader(id_.encode(), ctypes.byref(leader)) < 0:
            return False
        return not psutil.pid_exists(leader.value)

    def _taken(self, address: Any) -> str:
        """Return a text that the library made for us, and free it."""
        text = (ctypes.cast(address, ctypes.c_char_p).value or b"").decode("utf-8", "replace")
        self._free(address)
        return text
