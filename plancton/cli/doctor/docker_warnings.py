"""What Docker warns of itself (``docker info``), and what of it matters to pilots."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from plancton.cli.doctor.check import Check

_WHAT = "docker warning"
_LONGEST = 200
_HARMLESS = re.compile(
    r"bridge-nf-call|no blkio|no io\.|kernel memory|oom kill disable|cgroup v1 is deprecated"
    # What follows are limits of pilots, on which there is a check of their own.
    r"|no (memory|swap|pids) limit|no cpu (cfs|shares)|no memory swap",
    re.IGNORECASE,
)
_MENDS = {
    "is accessible on http": "whoever reaches that port is root here: have dockerd listen on its "
    "socket alone, or with --tlsverify",
    "forwarding is disabled": "sysctl net.ipv4.ip_forward=1, else pilots of network bridge reach "
    "nobody",
    "storage-driver is deprecated": "move to overlay2 before a newer Docker drops it",
    "cpuset": "pilots are not bound to cores: use a kernel with CONFIG_CPUSETS",
}


def check_docker_warnings(info: Mapping[str, Any]) -> list[Check]:
    """Return a check for each warning that matters, and one for all that do not."""
    given = info.get("Warnings")
    texts = [_text(str(each)) for each in (given if isinstance(given, list) else ())]
    texts = list(dict.fromkeys(filter(None, texts)))
    harmless = [each for each in texts if _HARMLESS.search(each)]
    checks = [Check(_WHAT, "WARN", each, _mend(each)) for each in texts if each not in harmless]
    if harmless:
        checks.append(Check(_WHAT, "OK", f"of no harm to pilots: {'; '.join(harmless)}"))
    return checks


def _text(warning: str) -> str:
    """Return the first sentence: what follows refers to pages."""
    line = " ".join(warning.split())
    line = re.sub(r"^(WARNING|DEPRECATED):\s*", "", line, flags=re.IGNORECASE)
    first = re.split(r"\.\s", line, maxsplit=1)[0].rstrip(".")
    return "".join(each for each in first if each.isprintable())[:_LONGEST]


def _mend(text: str) -> str:
    return next((mend for sign, mend in _MENDS.items() if sign in text.lower()), "")
