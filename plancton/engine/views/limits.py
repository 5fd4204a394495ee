"""Limits that are not enforced here, in words: what holds instead, and how to mend it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from plancton.engine.model.node import HostSample, Limit, Protection


def limit_lines(unenforced: frozenset[Limit], host: HostSample) -> Iterator[str]:
    """Yield a sentence for each limit that pilots do not have, where that matters."""
    for limit in Limit:
        if limit in unenforced and (limit is not Limit.SWAP or host.swap_total):
            yield _SENTENCES[limit].format(instead=_INSTEAD[host.protection])


_INSTEAD = {
    Protection.IDLE: "the idle class still lets the owner go first",
    Protection.LOW_WEIGHT: "their low weight still lets the owner go first",
    Protection.USERS_IDLE: "they are frozen when the node is full",
    Protection.WEIGHT_ONLY: "they are frozen when the node is full",
}
_SENTENCES = {
    Limit.CPUS: "pilots may use more cores than their cpus: this kernel has no CFS quotas "
    "(CONFIG_CFS_BANDWIDTH); {instead}",
    Limit.MEMORY: "pilots may use more than their memory: this kernel's memory controller is off "
    "(cgroup_enable=memory on its command line turns it on); pilots are ended when less than "
    "protect.memory.evict_below is available",
    Limit.SWAP: "pilots may use more than their swap: this kernel does not account it "
    "(swapaccount=1 on its command line turns that on)",
    Limit.PIDS: "pilots may start more processes than their pids: this kernel has no pids "
    "controller (CONFIG_CGROUP_PIDS)",
}
