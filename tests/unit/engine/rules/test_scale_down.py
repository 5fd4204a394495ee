"""A lowered maximum ends pilots."""

from __future__ import annotations

from dataclasses import replace

from plancton.engine.model.action import Spawn
from plancton.engine.model.reason import Code
from tests.unit.engine.rules.tables import NOW, carry_out, codes, kinds, look, pilot, policy, run


def test_a_lowered_maximum_ends_the_youngest() -> None:
    """Shrinks to the maximum at once, and not below it while they go."""
    pilots = [pilot(name, created_at=NOW - age) for name, age in (("a", 9), ("b", 5), ("c", 1))]
    first = run(look(*pilots), policy(1))
    assert kinds(first) == ["Terminate c", "Terminate b"]
    state = carry_out(first, policy(1), NOW)
    assert kinds(run(look(*pilots), policy(1), state)) == []


def test_a_profile_has_its_own_maximum_and_is_shrunk_to_it() -> None:
    """Beside that of the node."""
    rules = replace(policy(4), maxima={"default": 2})
    decision = run(look(), rules)
    assert sum(isinstance(a, Spawn) for a in decision.actions) == 2
    assert codes(decision) == [Code.PROFILE_FULL]
    three = [pilot(name, created_at=NOW - age) for name, age in (("a", 9), ("b", 5), ("c", 1))]
    ended = run(look(*three), rules)
    assert [str(a.reason) for a in ended.actions] == ["3 pilots run and the maximum is 2"]
