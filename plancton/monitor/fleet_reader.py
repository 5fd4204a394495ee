"""Reads what all nodes reported last from the database that they report to."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from plancton.config.schema import InfluxTarget, Monitor
from plancton.engine.api import RefusedError as NotNowError
from plancton.engine.views.fleet import Member, by_trouble
from plancton.monitor.delivery_queue import AwayError, RejectedError

_NEWEST = (
    "SELECT mode, trouble, docker_up, config_good, running, frozen, maximum, ncpus, cpu_eff, "
    "harvested_core_seconds_today, interval FROM plancton_node "
    'WHERE time > now() - 7d GROUP BY "node", "instance" ORDER BY time DESC LIMIT 1'
)
"""The newest report of each node. The database walks back from now and stops at the first."""
_FRESH = 2.0
_PATIENCE = 1.0


def read(target: InfluxTarget) -> tuple[Member, ...]:
    """Return the nodes that reported within a week, those in trouble first.

    Raises handle.RefusedError, which says why and what to do.
    """
    from plancton.monitor.sinks.influxdb import Influx

    database = Influx(target)
    try:
        series = database.ask(_NEWEST)
        members = [_member(each) for each in series]
    except (AwayError, RejectedError) as error:
        raise NotNowError(f"{database.name}: {error}") from None
    except KeyError:
        words = "it takes what InfluxDB takes, but does not answer its queries"
        raise NotNowError(f"{database.name}: {words}") from None
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
        self._read: tuple[float, InfluxTarget, tuple[Member, ...]] | None = None

    def read(self, monitor: Monitor) -> tuple[Member, ...]:
        """Return the nodes by the first database of *monitor*. Raises handle.RefusedError."""
        if not monitor.influxdb:
            raise NotNowError(
                "this node reports to no InfluxDB, so it knows of no other; name one in "
                "monitor.influxdb, or give its URL with --url"
            )
        target = monitor.influxdb[0]
        if not self._mutex.acquire(timeout=_PATIENCE):
            raise NotNowError("the database is slow to answer who asked before; try again")
        try:
            now = time.monotonic()
            if self._read is None or self._read[1] != target or now - self._read[0] > _FRESH:
                self._read = (now, target, read(target))
            return self._read[2]
        finally:
            self._mutex.release()
