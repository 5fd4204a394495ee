"""The host's ends of the virtual Ethernet pairs that pilots have."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from plancton.runtime.network.endpoint import Endpoint

_UNNUMBERED = 0xFFFFFFFF
"""A network namespace that nothing of this one leads to."""


@dataclass(frozen=True, slots=True)
class Veth:
    """The host's end of a virtual Ethernet pair whose other end a pilot has."""

    index: int
    name: str

    @property
    def exists(self) -> bool:
        """Whether it is still there; a pair goes with its pilot."""
        try:
            return socket.if_indextoname(self.index) == self.name
        except OSError:
            return False

    def traffic(self) -> tuple[int, int] | None:
        """Return the bytes that the pilot sent and received; None where they cannot be read.

        What the host's end receives the pilot has sent.
        """
        counters = Path("/sys/class/net", self.name, "statistics")
        try:
            return _count(counters / "rx_bytes"), _count(counters / "tx_bytes")
        except OSError:
            return None


def _count(file: Path) -> int:
    return int(file.read_text())


def veths_by_namespace(netlink: IPRoute) -> dict[int, tuple[Veth, ...]]:
    """Return the pairs that end in this network namespace, by the one where they begin.

    Namespaces are told by the kernel's own numbers for them, so nobody has to enter one.
    """
    found: dict[int, tuple[Veth, ...]] = {}
    for link in netlink.get_links():
        number = link.get_attr("IFLA_LINK_NETNSID")
        if number is not None and link.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") == "veth":
            veth = Veth(link["index"], link.get_attr("IFLA_IFNAME"))
            found[number] = (*found.get(number, ()), veth)
    return found


def namespace_of(netlink: IPRoute, endpoint: Endpoint) -> int | None:
    """Return the number of the pilot's network namespace; None if no pair leads there."""
    if not _is_of(endpoint):
        return None
    try:
        number = netlink.get_netnsid(pid=endpoint.pid)["nsid"]
    except NetlinkError:
        return None
    return number if isinstance(number, int) and number != _UNNUMBERED else None


def _is_of(endpoint: Endpoint) -> bool:
    """Say whether the process belongs to the container: numbers of processes are used again."""
    try:
        return endpoint.id in Path(f"/proc/{endpoint.pid}/cgroup").read_text()
    except OSError:
        return False
