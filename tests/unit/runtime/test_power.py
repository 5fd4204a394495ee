"""Mains or battery, on trees as machines of the field show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from plancton.runtime.power import on_battery

BATTERY = {"type": "Battery", "scope": "System", "present": "1"}
MAINS, USB = {"type": "Mains"}, {"type": "USB", "scope": "System"}
FULL, HELD = BATTERY | {"status": "Full"}, BATTERY | {"status": "Not charging"}
DRAINING = BATTERY | {"status": "Discharging"}
MOUSE = {"type": "Battery", "scope": "Device", "present": "1", "status": "Discharging"}
ON, OFF = {"online": "1"}, {"online": "0"}


@pytest.mark.parametrize(
    ("supplies", "expected"),
    [
        ({}, None),
        ({"AC": MAINS | ON}, None),
        # A mouse is no machine, with or without a battery of the machine's own.
        ({"hidpp_battery_0": MOUSE}, None),
        ({"hidpp_battery_0": MOUSE, "BAT0": FULL, "AC": MAINS | ON}, False),
        ({"hidpp_battery_0": MOUSE | {"status": "Charging"}, "BAT0": DRAINING}, True),
        # Mains by any name, and a charge that is held at 80 %.
        ({"ADP1": MAINS | ON, "BAT0": HELD}, False),
        ({"ACAD": MAINS | ON, "BAT1": HELD}, False),
        ({"ADP1": MAINS | OFF, "BAT0": DRAINING}, True),
        ({"ucsi-source-psy-USBC000:001": USB | ON, "BAT0": HELD}, False),
        ({"ucsi-source-psy-USBC000:001": USB | {"online": "2"}, "BAT0": DRAINING}, False),
        # The barrel socket is empty, and the port that charges is not shown.
        ({"ADP1": MAINS | OFF, "BAT0": BATTERY | {"status": "Charging"}}, False),
        ({"BAT0": HELD}, False),
        ({"BAT0": DRAINING}, True),
        # Two batteries, one after the other; one is not in its bay.
        ({"BAT0": FULL, "BAT1": DRAINING, "AC": MAINS | OFF}, True),
        ({"BAT0": BATTERY | {"present": "0", "status": "Unknown"}, "AC": MAINS | ON}, None),
        ({"BAT0": BATTERY | {"status": "Unknown"}, "AC": MAINS | OFF}, True),
        ({"BAT0": BATTERY | {"status": "Unknown"}}, False),
        ({"ups": {"type": "UPS", "status": "Discharging"}, "AC": MAINS | OFF}, True),
        ({"BAT0": {}}, None),
    ],
)
def test_the_source_of_power(
    tmp_path: Path, supplies: dict[str, dict[str, str]], expected: bool | None
) -> None:
    """Types and scopes decide, names do not."""
    for name, values in supplies.items():
        (tmp_path / name).mkdir()
        for key, value in values.items():
            (tmp_path / name / key).write_text(f"{value}\n")
    assert on_battery(tmp_path) is expected


@pytest.mark.parametrize(("role", "expected"), [("[source] sink", True), ("source [sink]", False)])
def test_a_port_that_charges_a_phone_is_no_mains(tmp_path: Path, role: str, expected: bool) -> None:
    """Both are "online"; the port's role tells."""
    port = tmp_path / "port" / "device" / "typec" / "port0"
    port.mkdir(parents=True)
    (port / "power_role").write_text(f"{role}\n")
    for name, values in {"port": USB | ON, "BAT0": DRAINING}.items():
        (tmp_path / name).mkdir(exist_ok=True)
        for key, value in values.items():
            (tmp_path / name / key).write_text(value)
    assert on_battery(tmp_path) is expected


def test_a_machine_without_the_folder_has_no_battery(tmp_path: Path) -> None:
    """As in a container."""
    assert on_battery(tmp_path / "none") is None
