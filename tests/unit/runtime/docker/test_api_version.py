"""The API version that an engine and Plancton agree on."""

from __future__ import annotations

from typing import Any

import pytest

from plancton.runtime.docker.api_version import VersionsApartError, agreed_version, is_refusal


@pytest.mark.parametrize(
    ("newest", "oldest", "agreed"),
    [
        ("1.41", "1.12", "1.41"),
        ("1.25", None, "1.25"),
        ("1.45", "1.24", "1.45"),
        ("1.51", "1.24", "1.45"),
        ("1.52", "1.44", "1.45"),
        ("1.55", "1.50", "1.50"),
        ("1.99", "1.52", "1.52"),
    ],
)
def test_the_usual_version_or_the_nearest_that_both_speak(
    newest: str, oldest: str | None, agreed: str
) -> None:
    """Newer ones only with engines that no longer take the usual one."""
    answer = {"ApiVersion": newest, "MinAPIVersion": oldest, "Version": "20.10.24"}
    assert agreed_version(answer) == agreed


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            {"Version": "1.11.2", "ApiVersion": "1.23"},
            "Docker 1.11.2 at unix:///x speaks API 1.23 at most, and Plancton speaks 1.25 to 1.52: "
            "upgrade Docker (20.10 is the oldest that is tested)",
        ),
        (
            {"Version": "99.0", "ApiVersion": "1.99", "MinAPIVersion": "1.90"},
            "Docker 99.0 at unix:///x speaks API 1.90 to 1.99, and Plancton speaks 1.25 to 1.52: "
            "upgrade Plancton",
        ),
        (
            {
                "Version": "9.0",
                "ApiVersion": "2.1",
                "MinAPIVersion": "2.0",
                "Components": [{"Name": "Podman Engine"}],
            },
            "Podman 9.0 at unix:///x speaks API 2.0 to 2.1, and Plancton speaks 1.25 to 1.52: "
            "upgrade Plancton",
        ),
    ],
)
def test_engines_too_old_and_too_new(answer: dict[str, Any], sentence: str) -> None:
    """In one line with both ranges and what to do."""
    with pytest.raises(VersionsApartError) as caught:
        agreed_version(answer)
    assert caught.value.sentence("unix:///x") == sentence


@pytest.mark.parametrize("odd", [None, 1.41, "", "1", "1.41.2", "x.y", "1.-1"])
def test_no_version_at_all(odd: object) -> None:
    """Never a guess."""
    with pytest.raises(ValueError, match="does not say its API version"):
        agreed_version({"ApiVersion": odd})


@pytest.mark.parametrize(
    ("status", "message", "refusal"),
    [
        (400, "client version 1.41 is too old. Minimum supported API version is 1.44", True),
        (400, "client version 1.60 is too new. Maximum supported API version is 1.52", True),
        (500, "client version 1.41 is too old", False),
        (400, "invalid reference format", False),
    ],
)
def test_refusals_of_a_version(status: int, message: str, *, refusal: bool) -> None:
    """As Docker words them."""
    assert is_refusal(status, message) is refusal
