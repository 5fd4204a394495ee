"""Constructed nodes for the doctor to examine."""

from __future__ import annotations

from typing import Any

from plancton.cli.doctor.check import Check
from plancton.cli.doctor.fuse import Kernel
from plancton.cli.doctor.mounts import MountFacts, Place, judge
from plancton.config.schema import Config, Profile
from plancton.runtime.fuse import Module
from plancton.runtime.mounts import parse_mountinfo

SYSTEMD = """\
24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 24 0:20 / /proc rw,nosuid shared:5 - proc proc rw
29 24 0:24 / /run rw,nosuid shared:11 - tmpfs tmpfs rw,size=597768k
"""
ODD = """\
60 24 0:50 / /my\\040data rw - tmpfs a rw
61 24 0:51 / /data rw shared:40 master:3 propagate_from:2 - tmpfs b rw
62 61 0:52 / /data rw unbindable - tmpfs c rw
63 62 0:53 / /data/deep rw shared:41 - tmpfs d rw
"""


def seen(
    *,
    own: str = SYSTEMD,
    engine: str = "",
    trouble: str = "",
    real: str = "/cvmfs",
    client: bool = True,
    module: Module = Module.LOADED,
    device: str = "",
    apparmor: bool = False,
) -> MountFacts:
    """Return a node, well unless said otherwise."""
    places = {source: Place(real, trouble) for source in ("/cvmfs", "/srv/sw")}
    kernel = Kernel(module, device, apparmor)
    return MountFacts(parse_mountinfo(own), parse_mountinfo(engine or own), places, client, kernel)


def checks(node: MountFacts, *profiles: dict[str, Any]) -> list[Check]:
    """Examine a node for some profiles."""
    return judge(Config(pilots=tuple(Profile(**each) for each in profiles)), node)


INSIDE = {"devices": ("/dev/fuse",), "cap_add": ("SYS_ADMIN",), "user": "0:0"}
