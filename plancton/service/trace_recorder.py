"""Write down what a node's owner does, for simulations."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from plancton.config.load import load
from plancton.config.schema import Config
from plancton.engine.model.node import HostSample
from plancton.engine.model.objective import Reading
from plancton.engine.ports import RuntimeUnavailableError
from plancton.runtime.figures.reader import FigureReader
from plancton.runtime.file_modes import GROUP, opener
from plancton.runtime.host import HostSampler
from plancton.service.container_engines import container_engine, engine_url
from plancton.service.instance import instance_name
from plancton.service.process.clock import SystemClock
from plancton.service.process.paths import default_paths
from plancton.simulation.trace import TracePoint, trace_header, trace_row


def record_trace(config: Path, output: Path, interval: float, seconds: float) -> int:
    """Write a row each *interval* seconds until *seconds* are over or Ctrl-C; returns the rows.

    CPU and memory of our own pilots are not the owner's and are left out; without a container
    engine there are none. FileExistsError if there is an *output* already.
    """
    try:
        known = load(config).config
    except FileNotFoundError:
        known = Config()
    clock, paths, instance = SystemClock(), default_paths(), instance_name(known)
    containers = container_engine(engine_url(known.node, paths), paths)
    parent = containers.parent(instance)
    data_root = "/"
    with suppress(RuntimeUnavailableError):
        data_root = containers.learn(parent)
    sampler = HostSampler(parent, lambda: data_root)
    names = [each.name for each in known.protect.slo if not each.waited]
    with _figures_of(known, clock) as figures:
        begin, rows = sampler.sample(clock.now()), 0
        local = clock.wall() + time.localtime().tm_gmtoff
        opened = open(output, "x", encoding="utf-8", opener=opener(GROUP))  # noqa: SIM115 (below)
        with opened as file, suppress(KeyboardInterrupt):
            file.write(trace_header(begin.ncpus, begin.memory_total, local, names))
            last = begin
            while last.at - begin.at < seconds:
                time.sleep(max(0.0, begin.at + (rows + 1) * interval - clock.now()))
                new = sampler.sample(clock.now())
                point = replace(_point(begin, last, new), figures=_known(figures.readings()))
                file.write(trace_row(point, names))
                file.flush()
                last, rows = new, rows + 1
            file.write(trace_row(_point(begin, begin, last, at=last.at - begin.at), names))
        return rows + 1


@contextmanager
def _figures_of(config: Config, clock: SystemClock) -> Iterator[FigureReader]:
    """Yield what reads the figures of the owner's objectives meanwhile."""
    reader = FigureReader(clock.now)
    reader.watch(each for each in config.protect.slo if not each.waited)
    thread = threading.Thread(target=reader.run, name="figures", daemon=True)
    thread.start()
    try:
        yield reader
    finally:
        reader.stop()
        thread.join()


def _known(readings: Mapping[str, Reading]) -> dict[str, float]:
    return {
        name: each.value
        for name, each in readings.items()
        if each.value is not None and not each.error
    }


def _point(
    begin: HostSample, last: HostSample, new: HostSample, at: float | None = None
) -> TracePoint:
    """Return what the owner did between two samples; it holds from the first of them on."""
    span = new.at - last.at
    own = (new.own_seconds or 0.0) - (last.own_seconds or 0.0)
    busy = new.busy_seconds - last.busy_seconds
    stalled = {name: each.percent for name, each in new.stalled.items()}
    return TracePoint(
        at=last.at - begin.at if at is None else at,
        foreground=min(float(new.ncpus), max(0.0, busy - own) / span),
        memory=new.memory_total - new.memory_available - (new.own_memory or 0),
        disk_free=new.disk_free,
        users=new.users,
        user_idle=-1.0 if new.user_idle is None else new.user_idle,
        on_battery=int(new.on_battery or False),
        stall_memory=stalled.get("memory", 0.0),
        stall_io=stalled.get("io", 0.0),
    )
