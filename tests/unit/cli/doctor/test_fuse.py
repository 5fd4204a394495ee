"""What the doctor makes of FUSE."""

from __future__ import annotations

from typing import Any

import pytest

from plancton.cli.doctor.mounts import MountFacts
from plancton.runtime.fuse import Module
from tests.unit.cli.doctor.nodes import INSIDE, checks, seen


@pytest.mark.parametrize(
    ("changes", "node", "verdict", "found"),
    [
        ({}, seen(), "OK", "may mount"),
        ({"cap_add": ("CAP_SYS_ADMIN",)}, seen(), "OK", "may mount"),
        ({"cap_add": (), "privileged": True}, seen(apparmor=True), "OK", "may mount"),
        ({"cap_add": ("CHOWN",)}, seen(), "FAIL", "lack SYS_ADMIN"),
        ({"user": "65534:65534"}, seen(), "FAIL", "they are 65534:65534"),
        ({"user": "worker", "security_opt": ()}, seen(), "WARN", "setuid"),
        ({}, seen(apparmor=True), "FAIL", "AppArmor"),
        ({"security_opt": ("apparmor=docker-default",)}, seen(apparmor=True), "FAIL", "AppArmor"),
        ({"security_opt": ("apparmor:unconfined",)}, seen(apparmor=True), "OK", "may mount"),
        ({"security_opt": ("apparmor=plancton-fuse",)}, seen(apparmor=True), "OK", "may mount"),
    ],
)
def test_the_right_to_mount(
    changes: dict[str, Any], node: MountFacts, verdict: str, found: str
) -> None:
    """The capability, root, AppArmor: all of them."""
    module, rights = checks(node, {**INSIDE, **changes})
    assert module.verdict == "OK"
    assert (rights.what, rights.verdict) == ("fuse", verdict)
    assert found in rights.found
    assert bool(rights.mend) == (verdict != "OK")


@pytest.mark.parametrize(
    ("node", "verdict", "mend"),
    [
        (seen(module=Module.MISSING), "FAIL", "install the modules"),
        (seen(module=Module.LOADABLE), "WARN", "modprobe fuse"),
        (seen(module=Module.LOADABLE, device="it is not there"), "FAIL", "modprobe fuse"),
        (seen(device="it is not there"), "FAIL", "mknod /dev/fuse c 10 229"),
        (seen(), "OK", ""),
    ],
)
def test_the_module_and_the_device(node: MountFacts, verdict: str, mend: str) -> None:
    """Loaded, to be loaded, or not there."""
    module, _ = checks(node, INSIDE)
    assert module.verdict == verdict
    assert mend in module.mend
