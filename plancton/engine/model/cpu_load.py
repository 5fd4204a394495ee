"""CPU arithmetic: from counters of the node to cores used by whom."""

from __future__ import annotations

from plancton.engine.model.node import CpuLoad, HostSample

WINDOW = 10.0
"""Seconds over which the load is measured; longer when ticks are further apart."""
RECENT = 0.5
"""Seconds that count as just now."""
GAP = 0.5
"""Shortest span worth measuring: kernel counters step in hundredths of a second."""


def remember(samples: tuple[HostSample, ...], new: HostSample) -> tuple[HostSample, ...]:
    """Add *new*, keeping samples at least GAP apart and one at least WINDOW old.

    None are kept over a change of the cores, nor over a suspend: the clock went on, the counters
    did not, and a busy owner would look idle.
    """
    if samples and (samples[-1].ncpus != new.ncpus or samples[-1].slept_before(new)):
        return (new,)
    if len(samples) > 1 and samples[-1].at - samples[-2].at < GAP:
        samples = samples[:-1]
    samples = (*samples, new)
    while len(samples) > 2 and new.at - samples[1].at >= WINDOW:
        samples = samples[1:]
    return samples


def cpu_load(
    samples: tuple[HostSample, ...], promised: float, window: float = 2 * WINDOW
) -> CpuLoad | None:
    """Return who used how many cores in the last *window* seconds, or a little more.

    ``foreground = busy - own``. Where the pilots' own counter cannot be read they are taken to
    use the *promised* cores, as far as so much is busy: pilots must not look like the owner.
    """
    if not samples or samples[-1].at - samples[0].at < GAP:
        return None
    last = samples[-1]
    old = [each for each in samples if last.at - each.at >= window]
    first = old[-1] if old else samples[0]
    span = last.at - first.at
    busy = min(float(last.ncpus), max(0.0, (last.busy_seconds - first.busy_seconds) / span))
    if first.own_seconds is None or last.own_seconds is None:
        own = min(busy, promised)
    else:
        own = min(busy, max(0.0, (last.own_seconds - first.own_seconds) / span))
    waited = _waited(first, last, span)
    return CpuLoad(last.ncpus, busy - own, own, last.ncpus - busy, span, waited)


def _waited(first: HostSample, last: HostSample, span: float) -> float | None:
    if first.waited_seconds is None or last.waited_seconds is None:
        return None
    return max(0.0, last.waited_seconds - first.waited_seconds) / span
