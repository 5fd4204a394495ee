"""The zone of the machine changes while Plancton runs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MOVE = """
import subprocess
from plancton.runtime.local_time import local_time
from plancton.service.process.clock import SystemClock
print(local_time().tm_zone)
zone = "/usr/share/zoneinfo/Asia/Tokyo"
subprocess.run(["mount", "--bind", zone, "/etc/localtime"], check=True)
SystemClock().day()
import time
print(time.localtime().tm_zone, local_time().tm_zone)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
@pytest.mark.parametrize(("zone", "expected"), [(None, "JST JST"), ("America/Lima", "-05 -05")])
def test_a_new_zone_holds_without_a_restart(zone: str | None, expected: str) -> None:
    """As after ``timedatectl set-timezone``; a zone in the environment stays."""
    environment = {k: v for k, v in os.environ.items() if k != "TZ"}
    environment |= {"TZ": zone} if zone else {}
    run = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", MOVE],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = run.stdout.splitlines()
    assert before != "JST"
    assert after == expected
