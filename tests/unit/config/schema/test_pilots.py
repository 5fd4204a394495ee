"""Image references."""

from __future__ import annotations

import math

import pytest

from plancton.config.schema import Profile


@pytest.mark.parametrize(
    "reference_",
    [
        "busybox",
        "registry:5000/x:v1",
        "r.example:5000/a/b:tag",
        "a/b@sha256:" + "0" * 64,
        "x:1@sha256:" + "a" * 64,
    ],
)
def test_legal_image_references(reference_: str) -> None:
    """A port is no tag, a digest is no tag."""
    assert Profile(image=reference_).image == reference_


@pytest.mark.parametrize("bad", ["", "A", "a b", "a:", "a@sha256:12", "http://a/b", "-a"])
def test_illegal_image_references(bad: str) -> None:
    """Are refused when the file is read."""
    with pytest.raises(ValueError, match="not an image reference"):
        Profile(image=bad)


def test_numbers_are_their_text() -> None:
    """As in compose, wherever a text is wanted that is often a number."""
    profile = Profile.model_validate({"command": ["/bin/sleep", 60, 0.5], "user": 1000})
    assert (profile.command, profile.user) == (("/bin/sleep", "60", "0.5"), "1000")


@pytest.mark.parametrize(
    ("asked", "cores"), [("promised", 1.5), ("none", math.inf), (1.5, 1.5), (3, 3.0)]
)
def test_a_limit_may_be_the_promise_or_none_or_more(asked: object, cores: float) -> None:
    """And is the promise where nothing is said."""
    profile = Profile.model_validate({"cpus": 1.5, "cpu_limit": asked})
    assert profile.most_cores == cores
    assert Profile.model_validate_json(profile.model_dump_json()) == profile
    assert Profile(cpus=1.5).most_cores == 1.5


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (1, "below cpus"),
        (0, "must be promised, none, or a number"),
        (5000, "must be promised, none, or a number"),
        (False, "must be promised, none, or a number"),
        (None, "must be promised, none, or a number"),
        ("all", "must be promised, none, or a number"),
    ],
)
def test_a_limit_below_the_promise_is_none(asked: object, why: str) -> None:
    """Nor is anything else."""
    with pytest.raises(ValueError, match=why):
        Profile.model_validate({"cpus": 1.5, "cpu_limit": asked})
