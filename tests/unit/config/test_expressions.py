"""Expressions: what they mean, what they refuse."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.config.expressions import NAMES, Expression, ExpressionError

NODE = dict.fromkeys(NAMES, 1) | {"ncpus": 8, "ram_bytes": 16e9, "max_dock_mem": 2e9}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (3, 3),
        ("ncpus - 2", 6),
        ("ncpus*2 // 3", 5),
        ("min(ncpus - 1, ram_bytes / max_dock_mem)", 7),
        ("0 if ncpus < 4 else ncpus / 2", 4),
        ("max(1, round(0.6 * ncpus))", 5),
        ("int(7.9) % 4", 3),
        ("-ncpus + 10 if 4 < ncpus <= 8 and not 0 else 1", 2),
    ],
)
def test_values(text: str | float, value: float) -> None:
    """Arithmetic, comparison, conditionals and four functions over the node's names."""
    assert Expression(text).evaluate(NODE) == value


@pytest.mark.parametrize(
    "text",
    [
        "", "ncpus -", "ncpu", "__import__('os')", "().__class__", "open", "max", "ncpus ** 9",
        "[1][0]", "lambda: 1", "'a' * 9", "True", "min(x for x in (1,))", "min(*ncpus)",
        "int(ncpus, base=2)", "ncpus.real", "1 << 99", "(" * 300 + "1" + ")" * 300,
        "1+" * 400 + "1",
        "f'{ncpus}'", "ncpus := 3", "1; 2", "\x00", "1j",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text: str) -> None:
    """At once, with a word why."""
    with pytest.raises(ExpressionError):
        Expression(text)


@pytest.mark.parametrize("text", ["1/0", "ncpus % 0", "1e308 * 10", "min()", "9" * 400 + "* 1.0"])
def test_what_has_no_value_says_so(text: str) -> None:
    """On this node; nothing else happens."""
    with pytest.raises(ExpressionError):
        Expression(text).evaluate(NODE)


_TREES = st.recursive(
    st.integers(0, 99).map(str) | st.sampled_from(["ncpus", "ram_bytes"]),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({' '.join(t)})"),
    max_leaves=12,
)


@given(_TREES)
def test_agrees_with_python(text: str) -> None:
    """Means what Python means by the same text."""
    expected = eval(text, {"__builtins__": {}}, dict(NODE))  # noqa: S307 (text of our making)
    with suppress(ExpressionError):  # too long, or too large on the way
        assert Expression(text).evaluate(NODE) == expected


@given(st.text(max_size=60))
def test_no_text_does_anything_else(text: str) -> None:
    """Any text is an expression with a number, or an ExpressionError."""
    try:
        value = Expression(text).evaluate(NODE)
    except ExpressionError:
        return
    assert isinstance(value, int | float)
