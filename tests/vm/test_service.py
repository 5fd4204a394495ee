"""The service as ``plancton bootstrap`` installs it, from its first day to its removal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import until
from tests.vm.guest import Guest

PILOT = {
    "command": "sleep 100000",
    "network": "none",
    "cpus": 0.4,
    "memory": "20MiB",
    "grace": "2s",
}
SOURCE = "/root/conf"


def configure(guest: Guest, path: str, maximum: int = 2, **groups: Any) -> None:
    """Write a configuration: sleeping pilots, so many at most."""
    node = {"interval": "2s"}
    base = {"node": node, "pilots": [PILOT], "spawn": {"maximum": maximum}}
    values = {**base, "image": {"pull": False}, **groups}
    guest.write(path, json.dumps(values))


def status(guest: Guest) -> dict[str, Any]:
    """Return what ``plancton status --json`` prints; nothing if no engine answers."""
    done = guest.call("plancton status --json", 60)
    found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return found


def pilots(guest: Guest) -> set[str]:
    """Return the names of the containers of Plancton that run, as Docker tells."""
    listed = "docker ps --filter label=io.plancton.instance=root --format '{{.Names}}'"
    return set(guest.run(listed).split())


def pid(guest: Guest) -> str:
    """Return the service's main PID."""
    return guest.run("systemctl show -P MainPID plancton")


def restart(guest: Guest) -> None:
    """Restart the service; what it said is part of the failure."""
    said = "{ journalctl -u plancton -u plancton-reap --no-pager -n 40; exit 1; }"
    guest.run(f"systemctl daemon-reload && systemctl restart plancton || {said}", 180)


def soon(met: Any) -> None:
    """Wait as long as emulation takes."""
    until(met, 180, 4.0)


@pytest.fixture(scope="module")
def node(guest: Guest) -> Iterator[Guest]:
    """Return the guest after its bootstrap from a folder."""
    configure(guest, f"{SOURCE}/config.yaml")
    said = guest.run(f"plancton bootstrap {SOURCE}", 180)
    assert "created the user and group plancton" in said
    assert "wrote /etc/plancton/config.yaml" in said
    assert "enabled and started plancton.service" in said
    yield guest
    guest.run("plancton bootstrap --uninstall --purge", 180, check=False)


def test_it_runs_enabled_and_protected(node: Guest) -> None:
    """Pilots under the slice, in the idle class, and a status for systemd."""
    assert node.run("systemctl is-active plancton") == "active"
    assert node.run("systemctl is-enabled plancton") == "enabled"
    assert node.run("systemctl is-active plancton-reap.timer") == "active"
    soon(lambda: len(pilots(node)) == 2)
    soon(lambda: status(node).get("protection") == "idle class")
    assert node.run("cat /sys/fs/cgroup/plancton.slice/cpu.idle") == "1"
    soon(lambda: "active: 2 of at most 2" in node.run("systemctl show -P StatusText plancton"))
    assert node.run("stat -c '%a %U:%G' /run/plancton/plancton.sock") == "660 root:plancton"
    assert node.run("stat -c '%a %U:%G' /etc/plancton/config.yaml") == "640 root:plancton"
    assert "runs already" in node.run("plancton start")


def test_each_pilot_is_bound_to_a_core_and_unbound(node: Guest) -> None:
    """By systemd, in the kernel; it outlives a ``daemon-reload``, and goes with the mode."""

    def cpus() -> list[str]:
        each = "docker inspect -f '{{.State.Pid}}' $(docker ps -q)"
        return sorted(node.run(f"for p in $({each}); do {allowed}; done").split())

    allowed = "sed -n 's/^Cpus_allowed_list:.//p' /proc/$p/status"
    soon(lambda: status(node).get("spread"))
    soon(lambda: cpus() == ["0", "1"])
    node.run("systemctl daemon-reload")
    assert cpus() == ["0", "1"]
    configure(node, "/etc/plancton/config.yaml", protect={"latency": "off"})
    soon(lambda: cpus() == ["0-1", "0-1"])
    configure(node, "/etc/plancton/config.yaml")
    soon(lambda: cpus() == ["0", "1"])
    assert not status(node)["warnings"]


def test_bootstrap_again_changes_nothing(node: Guest) -> None:
    """The same process, the same pilots; a changed source replaces and keeps the old one."""
    before, running = pid(node), pilots(node)
    said = node.run(f"plancton bootstrap {SOURCE}", 180)
    assert "/etc/plancton/config.yaml is up to date" in said
    assert (pid(node), pilots(node)) == (before, running)
    bad = "spawn: {maximun: 1}"
    node.write("/root/bad/config.yaml", bad)
    refused = node.call("plancton bootstrap /root/bad", 120)
    assert refused.returncode == 1
    assert "did you mean maximum?" in refused.stderr
    assert "maximun" not in node.run("cat /etc/plancton/config.yaml")
    configure(node, f"{SOURCE}/config.yaml", node={"interval": "3s"})
    said = node.run(f"plancton bootstrap {SOURCE}", 180)
    assert "kept the former configuration as /etc/plancton/config.yaml.2" in said
    soon(lambda: status(node).get("interval") == 3)
    assert pid(node) == before


def test_reload_applies_a_change(node: Guest) -> None:
    """By systemd, which signals, and a new file."""
    before = status(node)["reloads"]
    configure(node, "/etc/plancton/config.yaml", maximum=1)
    node.run("systemctl reload plancton")
    soon(lambda: status(node).get("reloads", 0) > before)
    soon(lambda: len(pilots(node)) == 1)
    configure(node, "/etc/plancton/config.yaml", maximum=2)
    soon(lambda: len(pilots(node)) == 2)


def test_killed_it_is_restarted_and_adopts_its_pilots(node: Guest) -> None:
    """Kill -9."""
    before, running = pid(node), pilots(node)
    node.run(f"kill -9 {before}")
    soon(lambda: pid(node) not in ("0", before) and status(node))
    assert pilots(node) == running


def test_a_hanging_service_is_restarted_by_the_watchdog(node: Guest) -> None:
    """Stopped in its tracks; systemd sees it within the time it was given."""
    node.write(
        "/etc/systemd/system/plancton.service.d/test.conf",
        "[Service]\nWatchdogSec=8\nTimeoutAbortSec=3\n",
    )
    restart(node)
    soon(lambda: status(node))
    before, running = pid(node), pilots(node)
    node.run(f"kill -STOP {before}")
    soon(lambda: pid(node) not in ("0", before) and status(node))
    assert pilots(node) == running
    assert "watchdog" in node.run("journalctl -u plancton --no-pager -o cat").lower()
    node.run("rm /etc/systemd/system/plancton.service.d/test.conf")
    restart(node)
    soon(lambda: status(node))


def test_a_daemon_reload_leaves_the_idle_class(node: Guest) -> None:
    """As any installation of a package causes one."""
    node.run("systemctl daemon-reload")
    assert node.run("cat /sys/fs/cgroup/plancton.slice/cpu.idle") == "1"


def test_who_may_use_the_socket(node: Guest) -> None:
    """A member of the group plancton may, another user gets one clear line."""
    node.run("useradd -m anna; useradd -m -G plancton bert", check=False)
    refused = node.call("plancton status", user="anna")
    assert refused.returncode == 3  # her own Plancton does not run
    for verb in ("status", "drain", "kill --all"):
        refused = node.call(f"plancton {verb} --rundir /run/plancton", user="anna")
        assert refused.returncode == 1, refused.stdout
        assert "permission denied: this control socket is for its owner, root" in refused.stderr
        assert refused.stderr.count("\n") == 1
    shown = node.call("plancton status --rundir /run/plancton", user="bert")
    assert "mode        active" in shown.stdout, shown.stderr


def test_drain_outlives_a_stop_and_a_start(node: Guest) -> None:
    """The run directory is kept; pilots stay over a stop of the service."""
    running = pilots(node)
    node.run("plancton drain")
    node.run("systemctl stop plancton", 180)
    assert node.run("systemctl is-active plancton", check=False) == "inactive"
    assert pilots(node) == running
    said = node.run("plancton start", 180)
    assert "by systemd (plancton.service); the node is draining as asked" in said
    node.run("plancton resume")
    soon(lambda: status(node).get("mode") == "active")


def test_stopping_by_plancton_is_no_failure(node: Guest) -> None:
    """It is not restarted; force-stop leaves no pilot."""
    node.run("plancton force-stop", 180)
    assert pilots(node) == set()
    # What the unit runs after its end takes its time.
    soon(lambda: node.run("systemctl is-active plancton", check=False) == "inactive")
    node.run("sleep 8")
    assert node.run("systemctl is-active plancton", check=False) == "inactive"
    node.run("plancton force-start", 180)
    soon(lambda: len(pilots(node)) == 2)


def test_the_reaper_holds_times_to_live_while_it_is_stopped(node: Guest) -> None:
    """The timer's unit ends what is overdue."""
    configure(node, "/etc/plancton/config.yaml", pilots=[{**PILOT, "ttl": "20s"}])
    node.run("plancton kill --all", 120)
    soon(lambda: len(pilots(node)) == 2)
    node.run("systemctl stop plancton", 180)
    node.run("sleep 25")
    node.run("systemctl start plancton-reap", 180)
    assert pilots(node) == set()
    configure(node, "/etc/plancton/config.yaml")
    node.run("systemctl start plancton", 180)


def test_after_a_reboot_it_runs_again(node: Guest) -> None:
    """With new pilots; those of before died with the machine and are removed."""
    soon(lambda: len(pilots(node)) == 2)
    before = pilots(node)
    node.reboot()
    soon(lambda: len(pilots(node)) == 2)
    assert not pilots(node) & before
    soon(lambda: status(node).get("protection") == "idle class")


def test_unprivileged_it_is_as_well_protected(node: Guest) -> None:
    """As the user plancton: the slice gives the idle class, the pilots are taken over."""
    running = pilots(node)
    said = node.run("plancton bootstrap --unprivileged", 240)
    assert "plancton.service.d/unprivileged.conf" in said
    soon(lambda: node.run("systemctl show -P MainPID plancton") != "0" and status(node))
    assert node.run(f"stat -c %U /proc/{pid(node)}") == "plancton"
    soon(lambda: status(node).get("protection") == "idle class")
    assert pilots(node) == running
    node.run("plancton drain && plancton resume")
    node.run("systemctl start plancton-reap", 120)


def test_uninstall_leaves_nothing_running(node: Guest) -> None:
    """No unit, no pilot; the configuration stays until it is purged."""
    said = node.run("plancton bootstrap --uninstall", 240)
    assert "ended Plancton and all its pilots" in said
    assert pilots(node) == set()
    assert node.run("ls /etc/systemd/system | grep plancton", check=False) == ""
    assert node.run("ls /etc/plancton/config.yaml")
    node.run("plancton bootstrap --uninstall --purge", 240)
    assert (
        node.run("ls -d /etc/plancton /var/lib/plancton; id plancton", check=False).count("no such")
        >= 1
    )
