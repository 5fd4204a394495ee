"""Keeps pilots to their share of the network, on a thread of its own.

The engine says at each tick which pilots there are and what is wanted; the kernel is asked here,
so no tick waits for it. What is there goes with the last pilot, also what an earlier engine left.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from plancton.config.schema.protect import Network
from plancton.engine.model.node import NetworkShare
from plancton.engine.views.text import network_line
from plancton.runtime.network.endpoint import Endpoint
from plancton.runtime.network.marks import LowerEffort
from plancton.runtime.network.shaper import Limits, Shaper
from plancton.runtime.network.veth import Veth, namespace_of, veths_by_namespace

log = logging.getLogger("plancton")

_NO_LIMITS = Limits()
Traffic = tuple[int, int]
"""Bytes sent and received."""
_CAP_NET_ADMIN = 12
NO_RIGHT = "no right to (it takes CAP_NET_ADMIN: run as root, or by the systemd unit)"


@dataclass(frozen=True, slots=True)
class _Wanted:
    limits: Limits = _NO_LIMITS
    mark: bool = False
    endpoints: tuple[Endpoint, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.limits) or self.mark


class NetworkGuard:
    """The network of one instance's pilots. ``apply`` does one round, ``run`` waits between."""

    def __init__(self, instance: str, settings: Callable[[], Network]) -> None:
        """Guard the pilots of *instance* by *settings*, which are read in the engine's thread."""
        self._settings = settings
        self._shaper, self._marks = Shaper(instance), LowerEffort(f"plancton-{instance}")
        self._wanted: _Wanted | None = None
        """None: pilots have not been seen yet, and what an earlier engine left still holds them."""
        self._share: NetworkShare | None = None
        self._traffic: Mapping[str, Traffic] = {}
        self._veths: dict[str, tuple[Veth, ...]] = {}
        self._changed, self._stopping = threading.Event(), False
        self._applying, self._asking = threading.Lock(), threading.Lock()

    # --- the engine's thread calls these ------------------------------------------------

    def look_after(self, endpoints: Iterable[Endpoint]) -> None:
        """Say which pilots are live, all of them."""
        asked = self._settings()
        limits = Limits(asked.total, asked.each)
        with self._asking:
            self._wanted = _Wanted(limits, asked.marks, tuple(endpoints))
        self._changed.set()

    def add(self, endpoint: Endpoint) -> None:
        """Say that one more has just started; any thread may."""
        with self._asking:
            if self._wanted is not None:
                endpoints = (*self._wanted.endpoints, endpoint)
                self._wanted = replace(self._wanted, endpoints=endpoints)
        self._changed.set()

    def share(self) -> NetworkShare | None:
        """Return what holds now; None if nothing is wanted."""
        return self._share

    def traffic(self, id_: str) -> Traffic | None:
        """Return the bytes that a pilot has sent and received; None where nobody counts."""
        return self._traffic.get(id_)

    # --- its own thread -----------------------------------------------------------------

    def run(self) -> None:
        """Work until ``stop``."""
        while not self._stopping:
            self._changed.wait()
            self._changed.clear()
            self.apply()

    def stop(self) -> None:
        """End ``run``, and do the last round here: the process may end before its threads do."""
        self._stopping = True
        self._changed.set()
        self.apply()

    def apply(self) -> None:
        """Make it as it is wanted, and say what came of it; never raises."""
        with self._applying:
            if self._wanted is not None:
                self._apply(self._wanted)

    def _apply(self, wanted: _Wanted) -> None:
        troubles = _Troubles()
        with troubles.noted("netlink"), IPRoute() as netlink:
            self._find(netlink, wanted.endpoints)
            self._count()
            if may_administer():
                with troubles.noted("limiting the rate"):
                    self._shape(netlink, wanted, troubles)
                with troubles.noted("marking packets"):
                    self._marks.mark(self._ports() if wanted.mark else ())
            else:
                troubles.texts.append(NO_RIGHT)
        self._tell(wanted, "; ".join(troubles.texts))

    def _find(self, netlink: IPRoute, endpoints: tuple[Endpoint, ...]) -> None:
        """Learn the pairs of new pilots, and forget those that are gone."""
        known = {id_: veths for id_, veths in self._veths.items() if all(v.exists for v in veths)}
        new = [each for each in endpoints if each.id not in known]
        there = veths_by_namespace(netlink) if new else {}
        for each in new:
            namespace = namespace_of(netlink, each)
            known[each.id] = () if namespace is None else there.get(namespace, ())
        self._veths = {each.id: known[each.id] for each in endpoints}

    def _count(self) -> None:
        counted = {}
        for id_, veths in self._veths.items():
            traffic = [found for veth in veths if (found := veth.traffic())]
            if traffic:
                counted[id_] = (sum(t[0] for t in traffic), sum(t[1] for t in traffic))
        self._traffic = counted

    def _ports(self) -> frozenset[int]:
        return frozenset(veth.index for veths in self._veths.values() for veth in veths)

    def _shape(self, netlink: IPRoute, wanted: _Wanted, troubles: _Troubles) -> None:
        if not wanted.limits or not self._ports():
            self._shaper.clear(netlink)
            return
        self._shaper.set_limits(netlink, wanted.limits)
        there = {each.id for each in wanted.endpoints}
        for id_ in self._shaper.held - there:
            self._shaper.release(netlink, id_)
        for each in wanted.endpoints:
            with troubles.noted(f"limiting the rate of {each.name}"):
                self._shaper.hold(netlink, each, self._veths[each.id])

    def _tell(self, wanted: _Wanted, error: str) -> None:
        """Publish what holds."""
        before, self._share = self._share, self._shared(wanted, error)
        if _told(before) != _told(self._share):
            words = network_line(self._share) if self._share else "pilots are not held back"
            level = logging.WARNING if self._share and error else logging.INFO
            log.log(level, "network", extra={"fields": {"share": words}})

    def _shared(self, wanted: _Wanted, error: str) -> NetworkShare | None:
        if not wanted:
            return None
        uncovered = {}
        on_network = [each for each in wanted.endpoints if each.mode != "none"]
        for each in on_network:
            why = self._why_uncovered(each, wanted)
            if why:
                uncovered[each.name] = why
        limits = wanted.limits if not error or self._shaper.held else _NO_LIMITS
        marked = wanted.mark and (not error or bool(self._marks.marked))
        covered = len(on_network) - len(uncovered)
        return NetworkShare(limits.total, limits.each, marked, covered, uncovered, error)

    def _why_uncovered(self, endpoint: Endpoint, wanted: _Wanted) -> str:
        if endpoint.mode == "host":
            return "it uses the node's own network"
        if not self._veths[endpoint.id]:
            return f"no virtual Ethernet pair of its own is seen here (network {endpoint.mode})"
        held = not wanted.limits or endpoint.id in self._shaper.held
        return "" if held else "see the error"


class _Troubles:
    """Collects what went wrong, so that one step that fails is no reason to leave out the next."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    @contextmanager
    def noted(self, what: str) -> Iterator[None]:
        """Note what goes wrong while doing *what*."""
        try:
            yield
        except Exception as error:
            log.debug("%s failed", what, exc_info=error)
            self.texts.append(f"{what} failed: {_text(error)}")


def _text(error: Exception) -> str:
    code = error.code if isinstance(error, NetlinkError) else getattr(error, "errno", None)
    if code is None:
        return repr(error)
    lacks = code in (errno.EOPNOTSUPP, errno.ENOENT, errno.EPROTONOSUPPORT)
    return os.strerror(code) + " (does this kernel have what it takes?)" * lacks


def _told(share: NetworkShare | None) -> NetworkShare | None:
    """Return what is worth a line in the log when it changes."""
    return replace(share, covered=0, uncovered={}) if share else None


def may_administer() -> bool:
    """Say whether this process may change the network."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _CAP_NET_ADMIN & 1)
    return False
