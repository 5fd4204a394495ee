"""A pilot as the network sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A live pilot on the network."""

    id: str
    name: str
    pid: int
    """Of its first process, as this machine counts."""
    mode: str
    """Docker's network mode."""
    addresses: tuple[str, ...] = ()
    """IPv4 and IPv6, on all its networks."""
