"""Times in which the node is lent."""

from __future__ import annotations

import pytest

from plancton.config.calendar import DAY, Lending, name_of


@pytest.mark.parametrize(
    ("texts", "minute", "lent", "until"),
    [
        ((), 5, True, None),
        (("18:00-08:00",), 7 * 60 + 59, True, "Mon 08:00"),
        (("18:00-08:00",), 8 * 60, False, "Mon 18:00"),
        (("Mon-Fri 18:00-08:00", "Sat,Sun"), 5 * DAY + 720, True, "Mon 00:00"),
        (("Mon-Fri 18:00-08:00", "Sat,Sun"), 4 * DAY + 720, False, "Fri 18:00"),
        (("Sun 22:00-06:00",), 60, True, "Mon 06:00"),
        (("Fri-Mon",), 6 * DAY, True, "Tue 00:00"),
        (("Mon-Sun 00:00-24:00",), 77, True, None),
    ],
)
def test_lending_times(texts: tuple[str, ...], minute: int, lent: bool, until: str | None) -> None:
    """Nights belong to the day they begin on, weeks wrap."""
    lending = Lending(texts)
    assert (minute in lending) is lent
    change = lending.until(minute)
    assert (None if change is None else name_of(change)) == until


@pytest.mark.parametrize("text", ["Mun", "25:00-08:00", "18-8", "Mon 18:00", "", "Mon-"])
def test_bad_times_are_refused(text: str) -> None:
    """Or mean every day, where no day is named at all."""
    if text in ("", "Mon-"):
        assert Lending((text,)).spans
        return
    with pytest.raises(ValueError, match=r"write for example|is no day|is not a time"):
        Lending((text,))
