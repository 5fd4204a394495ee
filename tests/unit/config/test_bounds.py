"""Every number in a configuration has a largest value, and nothing takes long to say so."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.config.evaluate import evaluate
from plancton.config.expressions import LARGEST, NAMES, Expression, ExpressionError
from plancton.config.load import ConfigError, load_text
from plancton.config.units import parse_duration, parse_level, parse_size

HERE = dict.fromkeys(NAMES, 4.0)
NINES = "9" * 400


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"pilots: [{{ttl: {NINES}s}}]", "longer than 36500d, the longest duration"),
        (f"pilots: [{{ttl: {NINES}}}]", "number of at most"),
        (f"pilots: [{{memory: {NINES}GB}}]", "larger than 1048576TiB, the largest size"),
        (f"pilots: [{{memory: {NINES}}}]", "number of at most"),
        (f"pilots: [{{log_size: '{NINES}'}}]", "largest size"),
        ("pilots: [{ttl: .inf}]", "number of at most"),
        ("pilots: [{share: .nan}]", "number of at most"),
        ("pilots: [{share: '1e999'}]", "finite number"),
        ("pilots: [{pids: 99999999999}]", "less than or equal to 4194304"),
        ("pilots: [{no_work: [256]}]", "less than or equal to 255"),
        ("pilots: [{ulimits: {nofile: {soft: 1, hard: 9223372036854775808000}}}]", "at most"),
        ("spawn: {reserve: 1e300}", "less than or equal to 1000000"),
        (f"protect: {{memory: {{stop_below: '{NINES}'}}}}", "largest size"),
        ("spawn: {maximum: 'int(1e308)*int(1e308)'}", "numbers may be at most 1e+30"),
        (f"max_docks: {NINES}", "number of at most"),
    ],
)
def test_a_number_beyond_its_bound_names_key_and_bound(text: str, says: str) -> None:
    """In one short line."""
    with pytest.raises(ConfigError) as caught:
        load_text(text, "c.yaml")
    assert str(caught.value).startswith("c.yaml:1: ")
    assert says in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pilots: [{ttl: 12:30}]", "'12:30' is ambiguous; write 12h30m for hours and minutes"),
        ("node: {interval: 1:30}", "or 1m30s for minutes and seconds"),
        ("pilots: [{memory: 1:30}]", "'1:30' is not a size"),
    ],
)
def test_digits_between_colons_are_no_number(text: str, says: str) -> None:
    """YAML 1.1 reads them to the base of 60."""
    with pytest.raises(ConfigError) as caught:
        load_text(text, "c.yaml")
    assert says in str(caught.value)


def test_a_user_and_group_without_quotes_is_what_it_says() -> None:
    """And not user 60050, as YAML 1.1 has it."""
    assert load_text("user_group: 1000:50", "c.yaml").config.pilots[0].user == "1000:50"


@pytest.mark.parametrize(
    "text",
    [
        "int(1e30)*int(1e30)",
        "round(1, -999999999)",
        "round(1, 0.5)",
        "1e30 * 10",
        "1e20 // 1e-20",
        "-1e30 - 1e30",
        "(" * 60 + "1e29" + "*1e29)" * 60,
    ],
)
def test_no_value_on_the_way_is_beyond_all_bounds(text: str) -> None:
    """Not even one that is made small again; and refusing it takes no time."""
    began = time.process_time()
    with pytest.raises(ExpressionError):
        Expression(text).evaluate(HERE)
    assert time.process_time() - began < 1.0  # seconds, where it took hours


@given(st.text(alphabet="0123456789.e+-*/%()<> ,minaxroud", max_size=80))
def test_whatever_an_expression_comes_to_is_bounded(text: str) -> None:
    """Or it is refused."""
    try:
        value = Expression(text).evaluate(HERE)
    except ExpressionError:
        return
    assert -LARGEST <= value <= LARGEST


@given(st.text(max_size=60) | st.integers() | st.floats() | st.booleans() | st.none())
def test_units_refuse_by_one_kind_of_error(value: object) -> None:
    """Whatever stands there."""
    for parse in (parse_duration, parse_size, parse_level):
        with suppress(ValueError):
            assert parse(value) is not None


def test_a_maximum_is_a_number_of_pilots() -> None:
    """However large the expression comes out."""
    config = load_text("spawn: {maximum: 1e29}", "c.yaml").config
    assert evaluate(config, HERE).maximum == 1_000_000


def test_anchors_and_merge_keys_say_things_once() -> None:
    """As in other YAML files."""
    text = "pilots:\n- &first {name: a, image: lab/a, cpus: 2}\n- {<<: *first, name: b}\n"
    pilots = load_text(text, "c.yaml").config.pilots
    assert [(each.name, each.image, each.cpus) for each in pilots] == [
        ("a", "lab/a", 2.0),
        ("b", "lab/a", 2.0),
    ]


def test_numbers_in_the_environment_are_their_text() -> None:
    """As compose has it."""
    env = load_text("pilots: [{env: {A: 1, B: 1.5, C: x}}]", "c.yaml").config.pilots[0].env
    assert env == {"A": "1", "B": "1.5", "C": "x"}
