"""Where the kernel placed the owner's threads when they woke up, counted in its own trace. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

_IDLE = 0
"""The PID of what runs on a core that runs nothing."""
_EVENT = re.compile(r"\s\[(\d+)\]\s+\S+\s+[\d.]+: (sched_switch|sched_wakeup): (.*)")
_SWITCH = re.compile(r"==> next_comm=.* next_pid=(\d+)")
_WAKEUP = re.compile(r"comm=.* pid=(\d+) .*target_cpu=(\d+)")
_ENTRIES = re.compile(r"# entries-in-buffer/entries-written: (\d+)/(\d+)")


class LostError(Exception):
    """The trace is not whole."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Wake-ups of the owner's threads."""

    woken: int = 0
    misplaced: int = 0
    """Queued behind another owner's thread, although a core ran nothing, or nothing but a pilot."""

    def __add__(self, other: Placed) -> Placed:
        """Return those of both."""
        return Placed(self.woken + other.woken, self.misplaced + other.misplaced)

    @property
    def share(self) -> float:
        """Misplaced ones among all."""
        return self.misplaced / self.woken if self.woken else 0.0


def count(
    trace: Iterable[str], owner: Collection[int], pilots: Collection[int], cores: int
) -> Placed:
    """Count in the lines of tracefs's ``trace``, by PIDs; LostError if the kernel dropped some.

    Wake-ups count once it is known what each of the *cores* runs.
    """
    running: dict[int, int] = {}
    free = {_IDLE, *pilots}
    woken = misplaced = 0
    for line in trace:
        if line.startswith("#"):
            _refuse_loss(line)
        elif event := _EVENT.search(line):
            core, kind, rest = int(event[1]), event[2], event[3]
            if kind == "sched_switch" and (switch := _SWITCH.search(rest)):
                running[core] = int(switch[1])
            elif kind == "sched_wakeup" and (wakeup := _WAKEUP.search(rest)):
                thread, target = int(wakeup[1]), int(wakeup[2])
                if thread in owner and len(running) == cores:
                    woken += 1
                    behind = running[target] in owner and running[target] != thread
                    misplaced += behind and not free.isdisjoint(running.values())
    return Placed(woken, misplaced)


def _refuse_loss(line: str) -> None:
    found = _ENTRIES.match(line)
    if found and found[1] != found[2]:
        raise LostError(f"the kernel kept {found[1]} of {found[2]} events: its buffer is too small")
