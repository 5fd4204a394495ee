"""Pilots held to a rate, all together and each: by HTB on two intermediate devices (ifb).

What a pilot sends and receives is led from the host's end of its virtual Ethernet pair through
one device for uploads and one for downloads. So both directions are queued, not dropped, all
pilots share one limit whatever bridge they are on, and no queue of anybody else is touched. Ours
are known by the devices' names and by the priority of our filters.
"""

from __future__ import annotations

import hashlib
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from errno import EEXIST
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl.tcmsg import plugins, sched_pfifo

from plancton.runtime.network.endpoint import Endpoint
from plancton.runtime.network.veth import Veth

plugins.setdefault("bfifo", sched_pfifo)  # its options are those of pfifo, in bytes

_HOOKS = ((0xFFFFFFF2, 0x504C), (0xFFFFFFF3, 0x504D))
"""Ingress and egress of clsact, for uploads and downloads, with the priorities of our filters
there: unusual numbers, and two of them, for u32 lists filters of one priority at both hooks."""
_GONE = 0
"""What a redirection tells for a device that is gone."""
_ALL, _IPV4, _IPV6 = 0x0003, 0x0800, 0x86DD
"""Ethernet protocols."""
_ROOT, _TOTAL, _OTHERS, _FIRST = 0x10000, 0x10001, 0x10002, 0x10
"""The queue, its class for all, the one for packets of unknown addresses; then the pilots'."""
_LEAST_RATE = 1000
"""Bytes per second that a pilot has for its own; the rest it borrows from all pilots' rate."""
_QUANTUM = 60_000
_QUEUE, _LEAST_QUEUE = 0.1, 192_000
"""What waits in each class before more is dropped: seconds at its speed, and least bytes, for a
packet may have 64 kB before it is cut for the line."""
_BURST = 0.01
"""Seconds at full speed after a pause."""
_LEAST_BURST = 20_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Most bits per second, in each direction; None: no limit."""

    total: int | None = None
    each: int | None = None

    def __bool__(self) -> bool:
        return self.total is not None or self.each is not None


class Shaper:
    """The two devices of one instance, and what leads to them."""

    def __init__(self, instance: str) -> None:
        """Nothing is there yet, or what an earlier engine left."""
        mark = hashlib.sha256(instance.encode()).hexdigest()[:8]
        self.uploads, self.downloads = f"plup-{mark}", f"pldown-{mark}"
        self._alias = f"plancton {instance}"
        self.limits = Limits()
        """Those in force."""
        self._devices: tuple[int, int] | None = None
        self._minors: dict[str, int] = {}
        self._cleared = False

    @property
    def held(self) -> frozenset[str]:
        """IDs of the pilots that are held to the limits."""
        return frozenset(self._minors)

    def set_limits(self, netlink: IPRoute, limits: Limits) -> None:
        """Make the devices, or all anew where they are not as they were left.

        Raises NetlinkError or OSError; then nothing of ours is there.
        """
        if limits == self.limits and self._devices == tuple(self._there()):
            return
        self.clear(netlink)
        self._cleared = False
        try:
            made = [self._device(netlink, name, limits) for name in self._names]
        except Exception:
            with suppress(NetlinkError, OSError):
                self.clear(netlink)
            raise
        self._devices, self.limits = (made[0], made[1]), limits

    @property
    def _names(self) -> tuple[str, str]:
        return self.uploads, self.downloads

    def _there(self) -> list[int]:
        """Return the indexes of our devices that exist."""
        found = []
        for name in self._names:
            with suppress(OSError):
                found.append(socket.if_nametoindex(name))
        return found

    def _device(self, netlink: IPRoute, name: str, limits: Limits) -> int:
        netlink.link("add", ifname=name, kind="ifb")
        device = socket.if_nametoindex(name)
        netlink.link("set", index=device, state="up", ifalias=self._alias)
        netlink.tc("add", "htb", device, handle=_ROOT, default=_OTHERS - _ROOT)
        if limits.total is not None:
            rate = limits.total // 8
            _add_class(netlink, device, _TOTAL, _ROOT, rate, rate)
        _add_pilot_class(netlink, device, _OTHERS, limits)
        return device

    def hold(self, netlink: IPRoute, endpoint: Endpoint, veths: tuple[Veth, ...]) -> None:
        """Hold a pilot that has *veths* to the limits.

        Raises NetlinkError or OSError; then it is not held.
        """
        if self._devices is None or not veths or endpoint.id in self._minors:
            return
        minor = next(n for n in range(_FIRST, 0x7FFF) if n not in self._minors.values())
        self._minors[endpoint.id] = minor
        try:
            for device, offsets in zip(self._devices, ((12, 8), (16, 24)), strict=True):
                _add_pilot_class(netlink, device, _ROOT + minor, self.limits)
                _classify(netlink, device, minor, endpoint.addresses, offsets)
            for veth in veths:
                _redirect(netlink, veth.index, self._devices)
        except Exception:
            self.release(netlink, endpoint.id)
            raise

    def release(self, netlink: IPRoute, id_: str) -> None:
        """Forget a pilot that is gone, its pairs with it."""
        minor = self._minors.pop(id_, None)
        if minor is None:
            return
        for device in self._devices or ():
            for prio, protocol in _priorities(minor):
                with suppress(NetlinkError):  # it may have no address of this kind
                    _delete_filter(netlink, device, _ROOT, prio, protocol)
            with suppress(NetlinkError):
                # pyroute2 wants a rate to delete, too; the kernel does not look at it.
                netlink.tc("del-class", "htb", device, handle=_ROOT + minor, rate=_LEAST_RATE)

    def clear(self, netlink: IPRoute) -> None:
        """Remove all that is ours, also what an earlier engine left; nothing else.

        First what leads to the devices: packets that are led to one that is gone are lost, and
        somebody else may have removed them before us.
        """
        self._devices, self.limits, self._minors = None, Limits(), {}
        ours = self._there()
        if self._cleared and not ours:
            return
        for queue in netlink.get_qdiscs():
            if queue.get_attr("TCA_KIND") == "clsact":
                with suppress(NetlinkError):  # the pair may have gone meanwhile
                    _end_redirect(netlink, queue["index"], {*ours, _GONE})
        for index in ours:
            netlink.link("del", index=index)
        self._cleared = True


def _add_pilot_class(netlink: IPRoute, device: int, handle: int, limits: Limits) -> None:
    """Add a class of a pilot's own, which borrows from all pilots' rate where there is one."""
    most = min(rate for rate in (limits.total, limits.each) if rate is not None) // 8
    if limits.total is None:
        _add_class(netlink, device, handle, _ROOT, most, most)
    else:
        _add_class(netlink, device, handle, _TOTAL, min(_LEAST_RATE, most), most)
    queue, limit = (handle & 0xFFFF) << 16, max(int(most * _QUEUE), _LEAST_QUEUE)
    netlink.tc("add", "bfifo", device, handle=queue, parent=handle, limit=limit)


def _add_class(
    netlink: IPRoute, device: int, handle: int, parent: int, rate: int, ceiling: int
) -> None:
    """Add a class of HTB; *rate* and *ceiling* are bytes per second."""
    burst, ceiling_burst = (max(int(each * _BURST), _LEAST_BURST) for each in (rate, ceiling))
    netlink.tc(
        "add-class",
        "htb",
        device,
        handle=handle,
        parent=parent,
        rate=rate,
        ceil=ceiling,
        burst=burst,
        cburst=ceiling_burst,
        quantum=_QUANTUM,
    )


def _priorities(minor: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return priority and protocol of a pilot's filters; one priority has one protocol."""
    return (2 * minor, _IPV4), (2 * minor + 1, _IPV6)


def _classify(
    netlink: IPRoute, device: int, minor: int, addresses: tuple[str, ...], offsets: tuple[int, int]
) -> None:
    """Lead packets of these addresses into a class; *offsets* are theirs in both headers."""
    for text in addresses:
        address = ipaddress.ip_address(text)
        which = 0 if address.version == 4 else 1
        prio, protocol = _priorities(minor)[which]
        netlink.tc(
            "add-filter",
            "u32",
            device,
            parent=_ROOT,
            prio=prio,
            protocol=protocol,
            target=_ROOT + minor,
            keys=list(_keys(address.packed, offsets[which])),
        )


def _keys(packed: bytes, offset: int) -> Iterator[str]:
    """Yield an address as 32-bit words at their places in a header, as u32 compares them."""
    for at in range(0, len(packed), 4):
        yield f"0x{packed[at : at + 4].hex()}/0xffffffff+{offset + at}"


def _redirect(netlink: IPRoute, veth: int, devices: tuple[int, int]) -> None:
    """Lead all that passes a pair through the devices."""
    try:
        netlink.tc("add", "clsact", veth)
    except NetlinkError as error:
        if error.code != EEXIST:
            raise
    for (hook, prio), device in zip(_HOOKS, devices, strict=True):
        netlink.tc(
            "add-filter",
            "u32",
            veth,
            parent=hook,
            prio=prio,
            protocol=_ALL,
            target=0,
            keys=["0x0/0x0+0"],
            action=_to_device(device),
        )


def _to_device(index: int) -> dict[str, Any]:
    return {"kind": "mirred", "direction": "egress", "action": "redirect", "ifindex": index}


def _end_redirect(netlink: IPRoute, veth: int, ours: set[int]) -> None:
    """Remove our filters from a pair, and its hooks unless somebody else uses them, too."""
    others = mine = 0
    for hook, prio in _HOOKS:
        for each in netlink.get_filters(index=veth, parent=hook):
            if each["info"] >> 16 != prio:
                others += 1
            elif _target(each) in ours:
                mine += 1
                _delete_filter(netlink, veth, hook, prio, _ALL)
    if mine and not others:
        netlink.tc("del", "clsact", veth)


def _delete_filter(netlink: IPRoute, index: int, parent: int, prio: int, protocol: int) -> None:
    where = {"index": index, "parent": parent}
    netlink.tc("del-filter", "u32", prio=prio, protocol=protocol, target=0, **where)


def _target(found: Any) -> int | None:
    """Return the index of the device to which a filter redirects; None if it does not."""
    parameters = found.get_nested(
        "TCA_OPTIONS", "TCA_U32_ACT", "TCA_ACT_PRIO_1", "TCA_ACT_OPTIONS", "TCA_MIRRED_PARMS"
    )
    return parameters["ifindex"] if parameters else None
