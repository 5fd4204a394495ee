"""Accounts add up."""

from __future__ import annotations

import pytest

from plancton.engine.records.ledger import Account, Ledger


def test_accounts_add_up_and_days_begin_anew() -> None:
    """Sums, the longest of reactions, and shares."""
    one = Account(seconds=5, harvested=8, missed={"hold": 2.0}, reaction_max=3, ended={"ttl": 1})
    both = one + Account(seconds=1, missed={"full": 1.0}, reaction_max=2, ended={"ttl": 2})
    assert (both.seconds, both.reaction_max, both.ended) == (6, 3, {"ttl": 3})
    assert both.share == pytest.approx(8 / 11)
    assert Account().share is None
    ledger = Ledger().book(one, "Mon", 1.0).book(one, "Tue", 2.0)
    assert (ledger.today.harvested, ledger.total.harvested, ledger.since_wall) == (8, 16, 1.0)
