"""Image references."""

from __future__ import annotations

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
