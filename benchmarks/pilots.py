"""Pilots that compute in bursts and wait in between, for busybox alone."""

from __future__ import annotations

import math
import re
import statistics

_TURNS = 5_000_000
COUNT = ["sh", "-c", f"time awk 'BEGIN {{ for (i = 0; i < {_TURNS}; i++); }}'"]
"""Counts what a pilot counts, and tells the CPU time that this took."""
_LEVELS = [-math.log(1 - (each + 0.5) / 100) for each in range(100)]
_DRAWS = " ".join(f"{each / statistics.mean(_LEVELS):.4g}" for each in _LEVELS)
"""Levels of an exponential distribution of mean 1: the awk of busybox has no logarithm."""
_PILOT = """trap 'exit 143' TERM
seed=$(($(od -An -N4 -tu4 /dev/urandom)))
draws='{draws}'
awk -v seed=$seed -v draws="$draws" 'BEGIN {{ srand(seed); split(draws, q)
  for (;;) {{ n = {turns:.0f} * q[1 + int(100 * rand())]; for (i = 0; i < n; i++); {wait} }} }}' &
usleep $(awk -v seed=$((seed + 1)) -v draws="$draws" 'BEGIN {{ srand(seed); split(draws, q)
  printf "%d", 1e6 * {life} * q[1 + int(100 * rand())] }}') &
wait $!"""
_WAIT = 'system("usleep " int({wait:.0f} * q[1 + int(100 * rand())]))'


def turns_a_second(log: bytes) -> float:
    """Return the turns of a pilot's loop in a second of CPU time, from what ``COUNT`` wrote."""
    found = re.search(rb"user\s+(\d+)m ([\d.]+)s", log)
    if found is None:
        raise SystemExit(f"no CPU time in {log!r}")
    return _TURNS / (60 * float(found[1]) + float(found[2]))


def waiting(turns: float, efficiency: float, life: float, cycle: float) -> list[str]:
    """Return the command of a pilot that computes for a part *efficiency* of the time.

    A burst, which is an amount of CPU time, and a wait last *cycle* seconds together, in the mean,
    and a pilot *life* seconds.
    """
    wait = _WAIT.format(wait=1e6 * cycle * (1 - efficiency)) if efficiency < 1 else ""
    burst = turns * cycle * efficiency
    return ["sh", "-c", _PILOT.format(draws=_DRAWS, turns=burst, wait=wait, life=life)]
