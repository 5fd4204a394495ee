"""Which images may be removed, in tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plancton.engine.model.pulled_image import PulledImage
from plancton.engine.rules.superseded_images import (
    SETTLE,
    UNWANTED_FOR,
    OnNode,
    after_pull,
    mark,
    name_to_remove,
    removable,
)

REF = "registry.example/lab/worker:latest"
NONE: frozenset[str] = frozenset()
ONE, TWO, THREE = (PulledImage(id_, REF, named=True) for id_ in ("one", "two", "three"))


@pytest.mark.parametrize(
    ("pulled", "before", "was", "now", "expected"),
    [
        ((), NONE, None, "one", (ONE,)),
        ((), {"x"}, "x", "one", (replace(ONE, named=False),)),  # the name was somebody else's
        ((ONE,), {"one"}, "one", "two", (ONE, TWO)),
        ((), {"one"}, "one", "one", ()),
        ((), {"one"}, None, "one", ()),  # it was there under another name
        ((ONE,), {"one"}, "one", "one", (ONE,)),
        ((ONE,), {"two"}, "two", "three", (replace(THREE, named=False),)),  # somebody removed one
        ((ONE,), {"one"}, "one", None, (ONE,)),
    ],
)
def test_only_what_was_not_there_before_a_pull_is_ours(
    pulled: tuple[PulledImage, ...],
    before: set[str],
    was: str | None,
    now: str | None,
    expected: tuple[PulledImage, ...],
) -> None:
    """Whatever names it had."""
    assert after_pull(pulled, REF, frozenset(before), was, now) == expected


def test_what_is_remembered_is_bounded() -> None:
    """The oldest are forgotten, and so never removed."""
    pulled: tuple[PulledImage, ...] = ()
    for number in range(600):
        before = frozenset(image.id for image in pulled)
        pulled = after_pull(pulled, REF, before, None, f"{number}")
    assert [image.id for image in pulled] == [f"{number}" for number in range(100, 600)]


def test_since_when_an_image_is_not_needed() -> None:
    """Superseded or unwanted since it was first seen so; not, when its reference means it again."""
    old, new = mark((ONE, TWO), {REF: "two"}, 100)
    assert (old.superseded_at, new.superseded_at) == (100, None)
    assert mark((old,), {REF: "two"}, 200) == (old,)
    assert mark((old,), {REF: "one"}, 200) == (ONE,)
    (gone,) = mark((new,), {}, 300)
    assert gone == replace(TWO, unwanted_at=300)
    assert mark((gone,), {}, 900) == (gone,)
    assert mark((gone,), {REF: "two"}, 900) == (TWO,)
    assert mark((gone,), {REF: None}, 900) == (TWO,)  # it is not known yet what it means
    assert mark((gone,), {}, 50) == (replace(TWO, unwanted_at=50),)  # the clock was set back


@pytest.mark.parametrize(
    ("keep", "pinned", "expected"),
    [
        (0, (), ["one", "two"]),
        (1, (), ["one"]),
        (2, (), []),
        (0, ("one",), ["two"]),
        (1, ("two",), ["one"]),
    ],
)
def test_superseded_images_go_but_for_the_newest_and_what_starts_need(
    keep: int, pinned: tuple[str, ...], expected: list[str]
) -> None:
    """The newest are those pulled last."""
    pulled = mark((ONE, TWO, THREE), {REF: "three"}, 0)
    assert removable(pulled, keep, frozenset(pinned), SETTLE - 1) == ()
    found = removable(pulled, keep, frozenset(pinned), SETTLE)
    assert [image.id for image in found] == expected


def test_images_of_a_reference_that_left_the_configuration_go_after_a_day() -> None:
    """Also the present one; image.keep is for references that are there."""
    superseded = mark((ONE, TWO), {REF: "two"}, 0)
    unwanted = mark(superseded, {}, 100)
    assert removable(unwanted, 5, NONE, 100 + UNWANTED_FOR - 1) == ()
    assert removable(unwanted, 5, NONE, 100 + UNWANTED_FOR) == unwanted


DIGEST = "registry.example/lab/worker@sha256:aa"
UNWANTED = replace(ONE, unwanted_at=1.0)


@pytest.mark.parametrize(
    ("image", "tags", "digests", "means", "expected"),
    [
        (ONE, (), (DIGEST,), "two", DIGEST),
        (ONE, (), (), "two", "one"),
        (ONE, (), (DIGEST, DIGEST[:-1] + "b"), "two", DIGEST),
        (ONE, ("mine:1",), (DIGEST,), "two", None),
        (ONE, (), (DIGEST, "other.example/x@sha256:aa"), "two", None),
        (UNWANTED, (REF,), (DIGEST,), "one", REF),
        (UNWANTED, (REF, "mine:1"), (DIGEST,), "one", None),
        (UNWANTED, ("mine:1",), (DIGEST,), None, None),
        (UNWANTED, ("mine:1",), (DIGEST,), "two", None),
        (UNWANTED, (), (DIGEST,), "two", DIGEST),
        (replace(UNWANTED, named=False), (REF,), (DIGEST,), "one", None),
    ],
)
def test_names_that_are_somebody_elses_keep_an_image(
    image: PulledImage,
    tags: tuple[str, ...],
    digests: tuple[str, ...],
    means: str | None,
    expected: str | None,
) -> None:
    """A tag, or a digest in another repository."""
    assert name_to_remove(image, OnNode(tags, digests, means)) == expected
