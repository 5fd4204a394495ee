"""Sets of CPUs in the kernel's List Format (cpuset(7)): ``0-3,8``."""

from __future__ import annotations

from collections.abc import Iterable

_MOST = 8192
"""CPUs that Linux can have."""


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """Return the CPUs that a list names, sorted; none if it is empty or makes no sense."""
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal() or len(part) > 20:
            return ()
        found.update(range(int(first), min(int(last or first), _MOST) + 1))
    return tuple(sorted(found))


def format_cpu_list(cpus: Iterable[int]) -> str:
    """Write CPUs as a list."""
    runs: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if runs and cpu == runs[-1][-1] + 1:
            runs[-1][-1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
