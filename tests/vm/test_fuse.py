"""FUSE inside pilots where AppArmor confines them and FUSE is a module, as on most nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from plancton.runtime.fuse import MODULES_LOAD
from tests.examples.software import WORDS, pack_image, pack_software
from tests.vm.guest import ROOT, Guest
from tests.vm.test_service import pilots, soon

PROFILE = ROOT / "examples/cvmfs/inside/plancton-fuse"
SLOW = 240.0
CONFIG = "/etc/plancton/config.yaml"
MEND = "[Service]\nMountFlags=shared\nPrivateMounts=no\n"


def configure(guest: Guest, place: str, *security: str) -> None:
    """Write a configuration of one pilot that mounts software for itself."""
    pilot = {
        "image": "software:latest",
        "command": ["sh", "-c", "squashfuse /software.squashfs /mnt && exec sleep 100000"],
        **{"network": "none", "cpus": 0.4, "memory": "40MiB", "grace": "2s"},
        **{"user": "0:0", "devices": ["/dev/fuse"], "cap_add": ["SYS_ADMIN"]},
        "security_opt": ["no-new-privileges", *security],
    }
    spawn = {"maximum": 1, "backoff": "5s", "backoff_max": "10s"}
    groups = {"node": {"interval": "2s"}, "spawn": spawn, "image": {"pull": False}}
    guest.write(place, json.dumps({**groups, "pilots": [pilot]}))


@pytest.fixture(scope="module")
def node(guest: Guest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """Return the guest with the pilots' image, and without the module."""
    folder = tmp_path_factory.mktemp("software")
    pack_software(folder / "content", folder / "file")
    archive = pack_image(folder / "image", folder / "file")
    (folder / "copied").mkdir()
    archive.rename(folder / "copied/image.tar")
    guest.copy(folder / "copied", "/root/software")
    guest.run("docker import -c 'ENV PATH=/bin' /root/software/image.tar software:latest", SLOW)
    guest.run("umount /sys/fs/fuse/connections && modprobe -r fuse")
    yield guest
    guest.run("plancton bootstrap --uninstall --purge", 180, check=False)


def test_bootstrap_loads_the_module_now_and_at_each_boot(node: Guest) -> None:
    """And the doctor says so before."""
    configure(node, "/root/inside/config.yaml")
    found = node.call("plancton doctor --config /root/inside/config.yaml", SLOW)
    assert "the module fuse is not loaded" in found.stdout
    said = node.run("plancton bootstrap /root/inside", SLOW)
    assert f"installed {MODULES_LOAD}" in said
    assert "loaded the module fuse" in said
    assert "fuse" in node.run("cat /proc/filesystems").split()
    assert "module" not in node.run("plancton bootstrap", SLOW)
    node.run("systemctl stop plancton && plancton reap --all", SLOW)
    node.run("umount /sys/fs/fuse/connections; modprobe -r fuse")
    node.run("systemctl restart systemd-modules-load")  # as at a boot
    assert "fuse" in node.run("cat /proc/filesystems").split()


def test_apparmor_forbids_the_mount_and_the_profile_of_the_example_allows_it(
    node: Guest,
) -> None:
    """As the doctor says; what is mounted is seen, and a kill leaves nothing."""
    found = node.call("plancton doctor", SLOW)
    assert found.returncode == 1
    assert "AppArmor's docker-default forbids it" in found.stdout
    node.run("systemctl start plancton", SLOW)
    soon(lambda: 'log="fuse: ' in node.run("journalctl -u plancton --no-pager"))
    node.write(f"/etc/apparmor.d/{PROFILE.name}", PROFILE.read_text())
    node.run(f"apparmor_parser --replace /etc/apparmor.d/{PROFILE.name}", 60)
    configure(node, CONFIG, "apparmor=plancton-fuse")
    node.run("plancton reload", SLOW)
    assert "pilots of default may mount" in node.run("plancton doctor", SLOW)
    soon(lambda: reads(node))
    (pilot,) = pilots(node)
    confined = node.run(f"docker exec {pilot} cat /proc/self/attr/current")
    assert confined == "plancton-fuse (enforce)"
    node.run("plancton force-stop", SLOW)
    assert pilots(node) == set()
    assert "squashfuse" not in node.run("cat /proc/self/mounts; ps -e")


def reads(guest: Guest) -> bool:
    """Say whether the one pilot reads what it has mounted."""
    running = pilots(guest)
    done = guest.call(f"docker exec {min(running)} cat /mnt/hello") if running else None
    return done is not None and done.stdout.strip() == WORDS


def test_a_docker_in_a_mount_namespace_of_its_own_is_told(node: Guest) -> None:
    """The mounts are those that Docker sees; the drop-in that is named mends it."""
    pilot = {"command": "sleep 1000", "network": "none", "binds": ["/srv:/srv:rslave"]}
    node.write("/root/bound.yaml", json.dumps({"pilots": [pilot]}))
    doctor = "plancton doctor --config /root/bound.yaml"
    assert "/srv (rslave) lies on /, which is shared" in node.run(doctor, SLOW)
    drop_in = "/etc/systemd/system/docker.service.d"
    node.write(f"{drop_in}/a.conf", "[Service]\nMountFlags=private\n")
    restart = "systemctl daemon-reload && systemctl restart docker"
    try:
        node.run(restart, SLOW)
        told = node.call(doctor, SLOW).stdout
        assert "/srv (rslave) lies on /, which is not shared: no pilot can start" in told
        assert "it is private to Docker: systemctl edit docker" in told
        refused = node.call("docker run --rm -v /srv:/srv:rslave busybox true", 60)
        assert "not a shared or slave mount" in refused.stderr
        node.write(f"{drop_in}/b.conf", MEND)
        node.run(restart, SLOW)
        assert "/srv (rslave) lies on /, which is shared" in node.run(doctor, SLOW)
        node.run("docker run --rm -v /srv:/srv:rslave busybox true", 60)
    finally:
        node.run(f"rm -r {drop_in} && {restart}", SLOW)
