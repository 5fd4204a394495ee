"""How the CPUs of a simulated machine are shared out, also to those bound to some. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Cpus:
    """So many CPUs, and the pilots on them by weight.

    Pilots that are bound to CPUs have what is left there, and spread evenly over theirs. The
    others may use what that leaves on any.
    """

    def __init__(
        self, ncpus: int, weights: Sequence[float], bound: Sequence[Sequence[int]]
    ) -> None:
        """Sort out who shares which CPU; bound to none is the same as to all."""
        self._ncpus, self._weights = ncpus, weights
        self._sizes = [len(cpus) if 0 < len(cpus) < ncpus else 0 for cpus in bound]
        pilots = range(len(weights))
        self._roaming = [i for i in pilots if not self._sizes[i]]
        self._on = [
            [i for i in pilots if self._sizes[i] and cpu in bound[i]] for cpu in range(ncpus)
        ]

    def share_out(self, available: float, wants: Sequence[float]) -> list[float]:
        """Return what each gets of so many cores, of which every CPU has the same part."""
        if len(self._roaming) == len(wants):
            return share_out(available, wants, self._weights)
        got = [0.0] * len(wants)
        for here in self._on:
            parts = [wants[i] / self._sizes[i] for i in here]
            self._add(got, here, available / self._ncpus, parts)
        roaming = [wants[i] for i in self._roaming]
        self._add(got, self._roaming, max(0.0, available - sum(got)), roaming)
        return got

    def _add(
        self, got: list[float], to: Iterable[int], available: float, wants: Sequence[float]
    ) -> None:
        shares = share_out(available, wants, [self._weights[i] for i in to])
        for i, share in zip(to, shares, strict=True):
            got[i] += share


def share_out(available: float, wants: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return what each gets: its part by weight, and what others leave of theirs, by weight too."""
    if sum(wants) <= available:
        return list(wants)
    got = [0.0] * len(wants)
    hungry = [index for index, want in enumerate(wants) if want > 0]
    while hungry:
        each = available / sum(weights[index] for index in hungry)
        full = {index for index in hungry if wants[index] <= each * weights[index]}
        if not full:
            for index in hungry:
                got[index] = each * weights[index]
            break
        for index in full:
            got[index] = wants[index]
        available = max(0.0, available - sum(wants[index] for index in full))
        hungry = [index for index in hungry if index not in full]
    return got
