"""What is to be set up, and how its progress is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SetupOptions:
    """What is to be set up."""

    source: str = ""
    """Where the configuration comes from; empty: it stays as it is."""
    harmless: bool = False
    follow: bool = True
    """Keep following a remote source; else its text becomes the local file."""
    trust: bool = False
    """Allow what the fetched configuration asks for today."""
    ca_file: str = ""
    allow_http: bool = False
    start: bool = True
    unprivileged: bool = False
    tune: bool = False
    """Lift the kernel's limit on the search for an idle core, at each boot."""
