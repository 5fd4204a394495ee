"""Whether an engine runs on this machine, which is the one that is protected."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_LOOPBACK = ("localhost", "::1")


def other_machine(url: str, info: Mapping[str, Any]) -> str:
    """Return the name of the machine that the engine at *url* runs on; empty: it is this one.

    By the engine's ``/info``. A container of ours has another name, but the machine's kernel.
    """
    name, kernel = str(info.get("Name") or "unknown"), info.get("KernelVersion")
    here = os.uname()
    same_kernel = not kernel or kernel == here.release
    if same_kernel and (not _is_remote(url) or name == here.nodename):
        return ""
    return name


def _is_remote(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme != "unix" and host not in _LOOPBACK and not host.startswith("127.")
