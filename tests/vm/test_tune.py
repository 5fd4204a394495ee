"""The limit on the kernel's search for an idle core, lifted by ``bootstrap --tune``."""

from __future__ import annotations

from tests.vm.guest import Guest

UNIT = "plancton-tune.service"


def features(guest: Guest) -> set[str]:
    """Return the scheduler's features."""
    return set(guest.run("cat /sys/kernel/debug/sched/features").split())


def doctor(guest: Guest, user: str = "") -> str:
    """Return what the doctor says of the search, to root or a *user*."""
    said = guest.run("plancton doctor", 120, check=False, user=user)
    return "\n".join(line for line in said.splitlines() if line.startswith("idle-core search"))


def test_a_plain_user_is_told_that_only_root_may_look(guest: Guest) -> None:
    """Not that all is well, nor that the kernel lacks the feature."""
    guest.run("useradd -m dora", check=False)
    features = "/sys/kernel/debug/sched/features"
    assert guest.call(f"cat {features}", user="dora").returncode == 1
    found = doctor(guest, "dora")
    assert f"unknown: only root may use {features}" in found
    assert "idle-core search: run this as root" in found


def test_the_limit_is_lifted_at_each_boot_until_it_is_taken_back(guest: Guest) -> None:
    """By a unit that is there on request alone; where the kernel refuses, it says so."""
    guest.run("plancton bootstrap --dryrun", 240)
    assert "SIS_UTIL" in features(guest)
    assert "the kernel stops looking" in (found := doctor(guest))
    assert "plancton bootstrap --tune lifts" in found
    said = guest.run("plancton bootstrap --tune", 240)
    assert f"enabled {UNIT}: the kernel looks at all cores" in said
    assert "NO_SIS_UTIL" in features(guest)
    assert "NO_SIS_UTIL is set" in doctor(guest)
    guest.run("plancton bootstrap", 240)
    assert guest.run(f"systemctl is-enabled {UNIT}") == "enabled"

    guest.run("echo integrity > /sys/kernel/security/lockdown")
    assert "the kernel is locked down" in doctor(guest)
    assert guest.run(f"systemctl restart {UNIT}", 120, check=False)
    assert "the kernel is locked down" in guest.run(f"journalctl -b -u {UNIT} -o cat --no-pager")
    warned = guest.run("plancton bootstrap --tune", 240)
    assert f"warning: {UNIT} is enabled, but changes nothing now: unknown: the kernel" in warned

    guest.reboot()
    assert "NO_SIS_UTIL" in features(guest)
    assert guest.run(f"systemctl is-active {UNIT}") == "active"
    said = guest.run("plancton bootstrap --uninstall --purge", 240)
    assert f"stopped {UNIT}: on a busy machine the kernel stops looking" in said
    assert "SIS_UTIL" in features(guest)
    assert guest.run("ls /etc/systemd/system | grep plancton", check=False) == ""
