"""Reads what all nodes reported last from the database that they report to."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from typing import Any

from plancton.config.schema import InfluxTarget, Monitor
from plancton.engine.api import RefusedError
from plancton.engine.views.fleet import Member, by_trouble
from plancton.monitor.sink import RejectedError, UnavailableError

_NEWEST = (
    "SELECT mode, trouble, docker_up, config_good, running, frozen, maximum, ncpus, cpu_eff, "
    "harvested_core_seconds_today, interval FROM plancton_node "
    'WHERE time > now() - 7d GROUP BY "node", "instance" ORDER BY time DESC LIMIT 1'
)
"""The newest report of each node. The database walks back from now and stops at the first."""
_CACHE_SECONDS = 2.0
_LOCK_TIMEOUT = 1.0


def read_fleet(target: InfluxTarget) -> tuple[Member, ...]:
    """Return the nodes that reported within a week, those in trouble first.

    Raises RefusedError, which says why and what to do.
    """
    from plancton.monitor.sinks.influxdb import InfluxSink

    database = InfluxSink(target)
    try:
        series = database.query(_NEWEST)
        members = [_member(each) for each in series]
    except (UnavailableError, RejectedError) as error:
        raise RefusedError(f"{database.name}: {error}") from None
    except KeyError:
        words = "it takes what InfluxDB takes, but does not answer its queries"
        raise RefusedError(f"{database.name}: {words}") from None
    return by_trouble(members, time.time())


def _member(series: Mapping[str, Any]) -> Member:
    last = dict(zip(series["columns"], series["values"][0], strict=True))
    up, good = (last[name] != 0 for name in ("docker_up", "config_good"))
    return Member(
        node=series["tags"]["node"],
        instance=series["tags"]["instance"],
        seen_wall=last["time"] / 1e9,
        interval=last["interval"] or 0.0,
        mode=last["mode"] or "",
        running=last["running"] or 0,
        frozen=last["frozen"] or 0,
        maximum=last["maximum"] or 0,
        ncpus=last["ncpus"] or 0,
        efficiency=last["cpu_eff"],
        harvested_today=last["harvested_core_seconds_today"] or 0.0,
        down=not (up and good),
        trouble=last["trouble"] or "",
    )


class FleetReader:
    """Reads for several who look at once: one request at a time, one answer for all."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._mutex = threading.Lock()
        self._read_at = -math.inf
        self._target: InfluxTarget | None = None
        self._members: tuple[Member, ...] = ()

    def read(self, monitor: Monitor) -> tuple[Member, ...]:
        """Return the nodes by the first database of *monitor*. Raises RefusedError."""
        if not monitor.influxdb:
            raise RefusedError(
                "this node reports to no InfluxDB, so it knows of no other; name one in "
                "monitor.influxdb, or give its URL with --url"
            )
        target = monitor.influxdb[0]
        if not self._mutex.acquire(timeout=_LOCK_TIMEOUT):
            raise RefusedError("the database is slow to answer who asked before; try again")
        try:
            now = time.monotonic()
            if self._target != target or now - self._read_at > _CACHE_SECONDS:
                members = read_fleet(target)
                self._read_at, self._target, self._members = now, target, members
            return self._members
        finally:
            self._mutex.release()
