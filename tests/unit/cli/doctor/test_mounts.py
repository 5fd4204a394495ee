"""What the doctor makes of binds and CVMFS."""

from __future__ import annotations

import pytest

from plancton.cli.doctor.mounts import MountFacts, check_mounts
from plancton.config.schema import Config, Profile
from tests.unit.cli.doctor.nodes import INSIDE, ODD, SYSTEMD, checks, seen

SLAVE = "24 1 254:0 / / rw,relatime master:1 - ext4 /dev/vda rw\n"
PRIVATE = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
AUTOFS = "50 24 0:40 / /cvmfs rw,relatime shared:30 - autofs auto.cvmfs rw,fd=5\n"
PRIVATE_AUTOFS = "50 24 0:40 / /cvmfs rw,relatime - autofs auto.cvmfs rw,fd=5\n"
REPOSITORY = "51 24 0:41 / /cvmfs/sw.example.org ro,nosuid shared:31 - fuse cvmfs2 ro,allow_other\n"


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
        ("/srv/sw:/sw", seen(trouble="it is not there"), "FAIL", "", "mkdir -p /srv/sw"),
        ("/srv/sw:/sw", seen(trouble="it does not answer"), "FAIL", "", "whether its server"),
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
def test_other_binds_need_only_be_there(bind: str) -> None:
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
