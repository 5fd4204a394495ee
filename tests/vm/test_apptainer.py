"""Pilots in Apptainer where systemd is PID 1: root's, and a user's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.vm.engines import status
from tests.vm.guest import Guest
from tests.vm.test_engines import soon

pytestmark = pytest.mark.world

SLICE = "/sys/fs/cgroup/plancton.slice"
IMAGE = "/opt/pilot"
WORK = "echo hello; while :; do :; done"


@pytest.fixture(scope="module")
def node(guest: Guest) -> Iterator[Guest]:
    """Return a guest with Apptainer, an unpacked image, and Plancton as the service."""
    if guest.call("command -v apptainer").returncode:
        pytest.skip("this release of Debian has no Apptainer")
    places = " ".join(
        f"{IMAGE}/{each}" for each in ("proc", "sys", "dev", "etc", "var/tmp", "home")
    )
    guest.run(f"mkdir -p {places} && tar -C {IMAGE} -xf /opt/busybox.tar", 60)
    guest.run("systemctl stop docker.socket docker", 120)
    configure(guest)
    guest.run("plancton bootstrap", 240)
    yield guest
    guest.run("plancton bootstrap --uninstall --purge", 240, check=False)
    guest.run("systemctl start docker", 120)


def configure(guest: Guest, path: str = "/etc/plancton/config.yaml", **groups: Any) -> None:
    """Write a configuration of two burning pilots."""
    pilot = {"image": IMAGE, "command": ["sh", "-c", WORK], "cpus": 0.25, "memory": "100MiB"}
    values = {
        "node": {"engine": "apptainer", "interval": "2s"},
        "pilots": [{**pilot, "grace": "2s"}],
        "spawn": {"maximum": 2},
        "protect": {"freeze_after": "1h"},
    }
    guest.write(path, json.dumps({**values, **groups}))


def names(guest: Guest) -> set[str]:
    """Return the names of the pilots that run."""
    pilots = status(guest).get("pilots", [])
    return {pilot["name"] for pilot in pilots if pilot["state"] == "running"}


def test_each_pilot_is_a_service_in_the_idle_slice(node: Guest) -> None:
    """Started by systemd itself: the sandbox of Plancton's own unit would forbid Apptainer."""
    soon(lambda: len(names(node)) == 2)
    units = node.run(f"ls -d {SLICE}/*.service").split()
    assert {unit.split("/")[-1].removesuffix(".service") for unit in units} == names(node)
    assert node.run(f"cat {SLICE}/cpu.idle") == "1"
    assert status(node)["protection"] == "idle class"
    said = node.call("plancton doctor", 120).stdout
    assert "FAIL" not in said, said
    first = sorted(names(node))[0]
    soon(lambda: "hello" in node.run(f"plancton logs {first}", 60))
    limits = node.run(f"cat {units[0]}/pilot/memory.max {units[0]}/pilot/cpu.max").split()
    assert limits == [str(100 * 2**20), "25000", "100000"]


def test_a_pilot_that_is_killed_is_replaced(node: Guest) -> None:
    """The shim tells of the end; nothing of it is left."""
    first, second = sorted(names(node))
    node.run(f"plancton kill {first}", 60)
    soon(lambda: second in names(node) and len(names(node) - {first}) == 2)
    assert node.call(f"systemctl is-active {first}.service").returncode != 0
    assert node.call(f"ls -d {SLICE}/{first}.service").returncode != 0


def test_pilots_outlive_the_service(node: Guest) -> None:
    """They are of other units; a restart, and kill -9, find them again."""
    before = names(node)
    node.run("systemctl restart plancton", 120)
    soon(lambda: names(node) == before)
    node.run("systemctl kill --signal KILL plancton", 60)
    soon(lambda: names(node) == before)


def test_pilots_are_frozen_by_the_kernel(node: Guest) -> None:
    """With one command, and thawed with another."""
    frozen = f"grep -l 1 {SLICE}/*.service/pilot/cgroup.freeze | wc -l"
    node.run("plancton freeze --all", 60)
    soon(lambda: node.run(frozen) == "2")
    node.run("plancton thaw --all", 60)
    soon(lambda: node.run(frozen) == "0")


def test_a_user_runs_pilots_of_his_own(node: Guest) -> None:
    """In his own manager's slice, if root lets it linger; else it is said in one line."""
    node.run("systemctl stop plancton; plancton force-stop", 180, check=False)
    node.run("useradd -m -s /bin/sh carl", check=False)
    uid = node.run("id -u carl")
    home = "/home/carl"
    configure(node, f"{home}/c.yaml", spawn={"maximum": 1})
    places = f"--rundir {home}/run --logdir {home}/log --statedir {home}/state"
    plancton = f"env XDG_RUNTIME_DIR=/run/user/{uid} plancton"
    look = f"{plancton} doctor --config {home}/c.yaml --rundir {home}/run"
    said = node.call(look, 120, user="carl")
    assert "loginctl enable-linger carl" in said.stdout + said.stderr
    node.run("loginctl enable-linger carl", 60)
    soon(lambda: node.call(f"test -e /run/user/{uid}/systemd/private").returncode == 0)
    node.run(f"{plancton} start --config {home}/c.yaml {places}", 180, user="carl")
    own = f"/sys/fs/cgroup/user.slice/user-{uid}.slice/user@{uid}.service/plancton.slice"
    soon(lambda: node.call(f"ls -d {own}/*/*.service/pilot").returncode == 0)
    soon(lambda: node.run(f"cat {own}/plancton-u{uid}.slice/cpu.idle") == "1")
    node.run(f"{plancton} force-stop --rundir {home}/run", 120, user="carl")
    assert node.call(f"ls -d {own}/*/*.service/pilot").returncode != 0
