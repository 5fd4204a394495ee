"""Docker's warnings of itself, in its own words of several versions."""

from __future__ import annotations

import pytest

from plancton.cli.doctor.docker_warnings import check_docker_warnings

EXPOSED = """WARNING: API is accessible on http://0.0.0.0:2375 without encryption.
         Access to the remote API is equivalent to root access on the host. Refer
         to the 'Docker daemon attack surface' section in the documentation for
         more information: https://docs.docker.com/go/attack-surface/"""


def test_harmless_ones_are_shown_in_one_line_and_alarm_nobody() -> None:
    """Limits of pilots have a check of their own."""
    harmless = [
        "WARNING: bridge-nf-call-iptables is disabled",
        "WARNING: No swap limit support",
        "WARNING: No blkio throttle.read_bps_device support",
        "WARNING: No io.weight support",
        "WARNING: No kernel memory TCP limit support",
        "WARNING: No oom kill disable support",
        "WARNING: No cpu cfs quota support",
    ]
    (check,) = check_docker_warnings({"Warnings": harmless})
    assert (check.verdict, check.mend) == ("OK", "")
    for each in harmless:
        assert each.removeprefix("WARNING: ") in check.found


@pytest.mark.parametrize(
    ("warning", "found", "mend"),
    [
        (EXPOSED, "API is accessible on http://0.0.0.0:2375 without encryption", "--tlsverify"),
        ("WARNING: IPv4 forwarding is disabled", "IPv4 forwarding is disabled", "net.ipv4"),
        ("WARNING: No cpuset support", "No cpuset support", "CONFIG_CPUSETS"),
        (
            "WARNING: the overlay storage-driver is deprecated, and will be removed.",
            "the overlay storage-driver is deprecated, and will be removed",
            "overlay2",
        ),
        ("Something new\x1b[31m of a later version", "Something new[31m of a later version", ""),
    ],
)
def test_what_matters_is_a_warning(warning: str, found: str, mend: str) -> None:
    """Once, in its first sentence, with what to do where that is known."""
    (check,) = check_docker_warnings({"Warnings": [warning, warning]})
    assert (check.what, check.verdict, check.found) == ("docker warning", "WARN", found)
    assert mend in check.mend
    assert bool(mend) == bool(check.mend)


@pytest.mark.parametrize("odd", [None, [], "x", 5, {}, [""]])
def test_none(odd: object) -> None:
    """Whatever stands in the place of a list."""
    assert check_docker_warnings({"Warnings": odd}) == []
