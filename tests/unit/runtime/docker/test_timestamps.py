"""Docker's timestamps."""

from __future__ import annotations

from datetime import datetime

import pytest

from plancton.runtime.docker.timestamps import epoch_of


@pytest.mark.parametrize(
    ("stamp", "epoch"),
    [
        ("2026-03-29T00:59:59.5Z", 1774745999.5),
        ("2026-03-29T02:59:59.500000001+02:00", 1774745999.5),
        ("2026-10-25T02:30:00-01:00", 1792899000.0),
        ("2026-10-25T03:30:00.000000000Z", 1792899000.0),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
        ("soon", None),
    ],
)
def test_stamps(stamp: str | None, epoch: float | None) -> None:
    """Across offsets and DST; zero stamps are none."""
    assert epoch_of(stamp) == epoch


def test_a_stamp_is_python_s_own_idea_of_it() -> None:
    """The table above agrees with the standard library."""
    stamp = "2026-07-01T12:00:00.25+05:30"
    assert epoch_of(stamp) == datetime.fromisoformat(stamp).timestamp()
