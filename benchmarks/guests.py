"""``placement`` on this machine, or in booted guests where its scheduler may not be traced."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import placement
from tests.vm.guest import ROOT, Guest

MACHINES = (("bookworm", 2), ("bookworm", 8), ("trixie", 2), ("trixie", 8))
"""Releases of Debian (Linux 6.1 and 6.12), and cores."""
NEEDED = (
    *(
        f"benchmarks/{name}.py"
        for name in ("__init__", "intervals", "owner", "placement", "wakeups")
    ),
    *("plancton/__init__.py", "plancton/runtime/__init__.py"),
    "plancton/runtime/idle_core_search.py",
)
_FOLDER = "/root/placement"
_LONGEST = 1800.0


def placement_anywhere(machines: Sequence[tuple[str, int]] = MACHINES) -> None:
    """Print one table for each kernel and size."""
    trouble = placement.trouble()
    if not trouble:
        placement.placement()
        return
    print(f"Not counted on this machine ({trouble}), but in emulated ones:")
    if shutil.which("qemu-system-x86_64") is None:
        raise SystemExit("QEMU is missing; scripts/setup vm installs what guests need")
    for release, cpus in machines:
        with booted(release, cpus) as guest:
            print(run_in(guest, "python3 -m benchmarks.placement"), flush=True)


@contextmanager
def booted(release: str, cpus: int) -> Iterator[Guest]:
    """Run a guest that has ``benchmarks.placement``."""
    with tempfile.TemporaryDirectory(prefix="plancton-placement-") as folder:
        guest = Guest(Path(folder), release, cpus)
        try:
            guest.boot()
            for name in NEEDED:
                guest.write(f"{_FOLDER}/{name}", (ROOT / name).read_text())
            yield guest
        finally:
            guest.shutdown()


def run_in(guest: Guest, command: str) -> str:
    """Return what a shell command prints in such a guest, where ``benchmarks.placement`` is."""
    return guest.run(f"cd {_FOLDER} && {command}", _LONGEST)
