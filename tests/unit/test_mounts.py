"""What the doctor makes of mounts, CVMFS and FUSE, over constructed nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plancton.cli.doctor.check import Check
from plancton.cli.doctor.fuse import Kernel
from plancton.cli.doctor.mounts import MountFacts, Place, check_mounts, examine
from plancton.config.schema import Config, Profile
from plancton.runtime import fuse
from plancton.runtime.fuse import Module
from plancton.runtime.mounts import Mount, mount_of, parse_mountinfo

SYSTEMD = """\
24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 24 0:20 / /proc rw,nosuid shared:5 - proc proc rw
29 24 0:24 / /run rw,nosuid shared:11 - tmpfs tmpfs rw,size=597768k
"""
SLAVE = "24 1 254:0 / / rw,relatime master:1 - ext4 /dev/vda rw\n"
PRIVATE = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
AUTOFS = "50 24 0:40 / /cvmfs rw,relatime shared:30 - autofs auto.cvmfs rw,fd=5\n"
PRIVATE_AUTOFS = "50 24 0:40 / /cvmfs rw,relatime - autofs auto.cvmfs rw,fd=5\n"
REPOSITORY = "51 24 0:41 / /cvmfs/sw.example.org ro,nosuid shared:31 - fuse cvmfs2 ro,allow_other\n"
ODD = """\
60 24 0:50 / /my\\040data rw - tmpfs a rw
61 24 0:51 / /data rw shared:40 master:3 propagate_from:2 - tmpfs b rw
62 61 0:52 / /data rw unbindable - tmpfs c rw
63 62 0:53 / /data/deep rw shared:41 - tmpfs d rw
"""


def test_mountinfo_is_read_as_the_kernel_writes_it() -> None:
    """Optional fields of any number, blanks in names."""
    assert parse_mountinfo(SYSTEMD + ODD)[3:] == (
        Mount("/my data", "tmpfs", shared=False, slave=False),
        Mount("/data", "tmpfs", shared=True, slave=True),
        Mount("/data", "tmpfs", shared=False, slave=False),
        Mount("/data/deep", "tmpfs", shared=True, slave=False),
    )
    assert parse_mountinfo("") == ()
    assert parse_mountinfo(Path("/proc/self/mountinfo").read_text())


@pytest.mark.parametrize(
    ("path", "point", "shared"),
    [
        ("/", "/", True),
        ("/etc/x", "/", True),
        ("/proc", "/proc", True),
        ("/processes", "/", True),
        ("/data", "/data", False),
        ("/data/deeper", "/data", False),
        ("/data/deep/down", "/data/deep", True),
    ],
)
def test_a_path_lies_on_the_innermost_topmost_mount(path: str, point: str, shared: bool) -> None:
    """Whole names count, and of two mounts at one place the later."""
    found = mount_of(path, parse_mountinfo(SYSTEMD + ODD))
    assert (found.point, found.shared) == (point, shared)


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
    return examine(Config(pilots=tuple(Profile(**each) for each in profiles)), node)


@pytest.mark.parametrize(
    ("bind", "node", "verdict", "found", "mend"),
    [
        ("/srv/sw:/sw:rslave", seen(real="/srv/sw"), "OK", "lies on /, which is shared", ""),
        ("/srv/sw:/sw:shared,rw", seen(real="/srv/sw"), "OK", "(shared) lies on /", ""),
        ("/srv/sw:/sw:rslave", seen(own=SLAVE), "OK", "lies on /", ""),
        ("/srv/sw:/sw:rshared", seen(own=SLAVE), "FAIL", "no pilot can", "--make-rshared /"),
        ("/srv/sw:/sw:rslave", seen(own=PRIVATE), "FAIL", "no pilot can", "--make-rshared /"),
        (
            "/srv/sw:/sw:rslave",
            seen(own=SYSTEMD, engine=PRIVATE),
            "FAIL",
            "lies on /, which is not shared",
            "systemctl edit docker ([Service] MountFlags=shared PrivateMounts=no)",
        ),
        (
            "/srv/sw:/sw:rslave",
            seen(own=SYSTEMD + ODD, real="/data/x"),
            "FAIL",
            "lies on /data, which is not shared",
            "mount --make-rshared /data ",
        ),
        ("/srv/sw:/sw:rslave", seen(trouble="it is not there"), "FAIL", "", "mkdir -p /srv/sw"),
        (
            "/cvmfs:/cvmfs:rslave",
            seen(trouble="it is not there"),
            "FAIL",
            "/cvmfs: it is not there",
            "cvmfs_config setup",
        ),
        (
            "/cvmfs:/cvmfs:rslave",
            seen(trouble="Transport endpoint is not connected"),
            "FAIL",
            "not connected",
            "umount -l /cvmfs",
        ),
        ("/cvmfs:/cvmfs", seen(), "WARN", "/cvmfs is private", "/cvmfs:/cvmfs:rslave"),
        ("/cvmfs:/cvmfs:ro,rprivate", seen(), "WARN", "is private", "/cvmfs:/cvmfs:rslave"),
        (
            "/cvmfs:/cvmfs:rslave",
            seen(own=SYSTEMD + PRIVATE_AUTOFS),
            "FAIL",
            "lies on /cvmfs, which",
            "mount --make-rshared /cvmfs",
        ),
    ],
)
def test_binds(bind: str, node: MountFacts, verdict: str, found: str, mend: str) -> None:
    """What is wrong with each, and the command that mends it."""
    check = next(each for each in checks(node, {"binds": (bind,)}) if each.what == "bind")
    assert check.verdict == verdict
    assert found in check.found
    assert mend in check.mend
    assert bool(check.mend) == (verdict != "OK")


@pytest.mark.parametrize("bind", ["/srv/sw:/sw", "/srv/sw:/sw:rw,Z", "volume:/sw:rslave"])
def test_other_binds_are_not_looked_at(bind: str) -> None:
    """Nor what is no path."""
    assert checks(seen(own=PRIVATE), {"binds": (bind,)}) == []


@pytest.mark.parametrize(
    ("node", "verdict", "found"),
    [
        (seen(own=SYSTEMD + AUTOFS), "OK", "autofs"),
        (seen(own=SYSTEMD + REPOSITORY, client=False), "OK", "mounted: /cvmfs/sw.example.org"),
        (seen(), "FAIL", "not set up"),
        (seen(client=False), "FAIL", "no client"),
    ],
)
def test_cvmfs(node: MountFacts, verdict: str, found: str) -> None:
    """Who mounts in /cvmfs does not matter, that somebody does, does."""
    _, check = checks(node, {"binds": ("/cvmfs:/cvmfs:rslave",)})
    assert (check.what, check.verdict) == ("cvmfs", verdict)
    assert found in check.found


INSIDE = {"devices": ("/dev/fuse",), "cap_add": ("SYS_ADMIN",), "user": "0:0"}


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


def test_mounts_of_pilots_must_not_reach_the_node() -> None:
    """A shared bind and the right to mount leave dead mounts behind."""
    shared = {**INSIDE, "binds": ("/srv/sw:/sw:rw,shared,Z",)}
    bind = checks(seen(), shared)[0]
    assert (bind.verdict, bind.mend) == ("WARN", "bind it as /srv/sw:/sw:rslave")
    assert checks(seen(), {"binds": shared["binds"]})[0].verdict == "OK"


def test_profiles_with_the_same_needs_are_checked_once() -> None:
    """Ten profiles do not print ten lines."""
    bind = {"binds": ("/cvmfs:/cvmfs:rslave",)}
    assert len(checks(seen(), {**bind, "name": "a"}, {**bind, "name": "b"})) == 2


@pytest.mark.parametrize("url", ["tcp://node.example:2376", "unix:///var/run/docker.sock"])
def test_another_machine_or_the_outside_of_a_container_is_not_judged(url: str) -> None:
    """Its mounts are not those of this process; without such binds nothing is said."""
    far = {"DockerRootDir": "/nonexistent/docker" if url.startswith("unix") else "/"}
    config = Config(pilots=(Profile(**INSIDE),))
    (check,) = check_mounts(config, far, url)
    assert (check.verdict, check.found) == ("WARN", "the node's mounts are not seen from here")
    assert check_mounts(Config(), far, url) == []


def test_the_module_is_kept_loaded_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeatable; a kernel without it is said in one line."""
    said: list[str] = []
    kept = tmp_path / "modules-load.d/plancton.conf"
    monkeypatch.setattr(fuse, "MODULES_LOAD", kept)
    monkeypatch.setattr(fuse, "_FILE_SYSTEMS", tmp_path / "filesystems")
    (tmp_path / "filesystems").write_text("nodev\tproc\nnodev\tfuse\n")
    fuse.load_at_boot(said.append)
    fuse.load_at_boot(said.append)
    assert said == [f"installed {kept}: the module fuse is loaded at each boot"]
    assert kept.read_text().splitlines()[-1] == "fuse"
    (tmp_path / "filesystems").write_text("nodev\tproc\n\tfuseblk\n")
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    fuse.load_at_boot(said.append)
    assert said[-1].startswith("warning: modprobe fuse: it is not installed (package kmod)")
    assert fuse.module() is Module.MISSING
    fuse.remove_module_file(said.append)
    fuse.remove_module_file(said.append)
    assert said[-1] == f"removed {kept}"
    assert not kept.exists()
