"""Simulated pilots that compute in bursts and wait in between, as real ones do."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Split = Callable[[Sequence[float]], tuple[float, list[float]]]
"""From the cores that each pilot wants now to those that the foreground gets, and each pilot."""


@dataclass(slots=True)
class Phase:
    """What one pilot is at; a new one is about to compute."""

    computes: bool = False
    left: float = 0.0
    """Seconds of its wait, or of computing with all the cores it wants."""


class Bursts:
    """Draws bursts and waits, both of exponentially distributed lengths.

    A burst is an amount of work: with fewer cores than wanted it takes longer, and the wait after
    it begins later. So pilots collide, as they do on a node.
    """

    def __init__(self, efficiency: float, cycle: float = 1.0, seed: int = 1) -> None:
        """Have undelayed pilots compute for a part *efficiency* of the time, above 0.

        A burst and a wait last *cycle* seconds together, in the mean.
        """
        self._burst, self._wait = efficiency * cycle, (1 - efficiency) * cycle
        self._rng = random.Random(seed)  # noqa: S311 (a repeatable simulation)

    def use(
        self, phases: Sequence[Phase], wants: Sequence[float], seconds: float, split: Split
    ) -> tuple[float, list[float]]:
        """Let time pass; returns the core-seconds of the foreground, and of each pilot."""
        foreground, used = 0.0, [0.0] * len(wants)
        while True:
            active = [want if p.computes else 0.0 for p, want in zip(phases, wants, strict=True)]
            got, shares = split(active)
            step, over = seconds, None
            speeds = [s / w if w else 1.0 for s, w in zip(shares, active, strict=True)]
            for phase, speed in zip(phases, speeds, strict=True):
                if phase.left < step * speed:
                    step, over = phase.left / speed, phase
            foreground += got * step
            for phase, speed in zip(phases, speeds, strict=True):
                phase.left -= step * speed
            used = [before + share * step for before, share in zip(used, shares, strict=True)]
            if over is None:
                return foreground, used
            seconds -= step
            over.computes = not over.computes
            over.left = self._rng.expovariate(1) * (self._burst if over.computes else self._wait)
