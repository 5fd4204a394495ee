"""Mains or battery, by the kernel's power supplies (its ABI document sysfs-class-power)."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path("/sys/class/power_supply")
_STORES = ("Battery", "UPS")
"""Types that store energy; every other one brings it in."""


def on_battery(folder: Path = _FOLDER) -> bool | None:
    """Return whether the machine runs on its battery; None: it has none.

    Names mean nothing (ADP1, ACAD, ucsi-source-psy-USBC000:001), only type and scope do. The
    batteries of mice, phones and pens are not the machine's.
    """
    supplies = [each for each in _entries(folder) if _read(each / "scope") != "Device"]
    stores = [each for each in supplies if _read(each / "type") in _STORES]
    states = {_read(each / "status") for each in stores if _read(each / "present") != "0"}
    if not states:
        return None
    sources = [each for each in supplies if each not in stores and _brings_power(each)]
    if any(_read(each / "online") not in ("", "0") for each in sources):
        return False
    # A charge that is held at a limit is "Not charging", with or without a source that is shown.
    return "Discharging" in states or ("Unknown" in states and bool(sources))


def _brings_power(source: Path) -> bool:
    """Say whether a source feeds the machine: a USB-C port may feed a phone instead."""
    roles = [_read(each) for each in (source / "device").glob("typec/*/power_role")]
    return not roles or any("[sink]" in each for each in roles)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:  # not every supply has every property, and one may just be unplugged
        return ""
