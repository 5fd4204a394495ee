"""Which version of Docker's API an engine and Plancton speak with each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from docker.errors import DockerException

OLDEST, USUAL, NEWEST = "1.25", "1.45", "1.52"
"""Older engines ignore a pilot's mounts without a word. The usual one is what everything was
written for; newer ones are spoken only with engines that no longer know it."""

_Version = tuple[int, int]
_REFUSAL = re.compile(r"client version [\d.]+ is too (old|new)", re.IGNORECASE)


class VersionsApartError(DockerException):
    """There is no version that both speak. Says which, and what to do."""

    def __init__(self, engine: str, spoken: str, advice: str) -> None:
        """*engine* is its name and version, *spoken* the versions it speaks."""
        super().__init__(spoken)
        self.engine, self.spoken, self.advice = engine, spoken, advice

    def sentence(self, url: str) -> str:
        """Say it of the engine at *url*."""
        return (
            f"{self.engine} at {url} speaks API {self.spoken}, and Plancton speaks {OLDEST} to "
            f"{NEWEST}: {self.advice}"
        )


class VersionChangedError(DockerException):
    """The engine has become another one, which no longer takes what was agreed on."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("it is of another version than before; connecting anew")


def agreed_version(answer: Mapping[str, Any]) -> str:
    """Return the version to speak with an engine, by its answer to ``/version``.

    Raises ValueError if that names none, VersionsApartError.
    """
    newest = _parsed(answer["ApiVersion"])
    oldest = _parsed(answer.get("MinAPIVersion") or OLDEST)  # engines before 1.25 say none
    engine = f"{_engine(answer)} {str(answer.get('Version') or '')[:40]}".rstrip()
    if newest < _parsed(OLDEST):
        advice = "upgrade Docker (20.10 is the oldest that is tested)"
        raise VersionsApartError(engine, f"{_text(newest)} at most", advice)
    if oldest > _parsed(NEWEST):
        spoken = f"{_text(oldest)} to {_text(newest)}"
        raise VersionsApartError(engine, spoken, "upgrade Plancton")
    return _text(max(oldest, min(newest, _parsed(USUAL))))


def is_refusal(status: int, message: str) -> bool:
    """Say whether an error means that the engine does not speak the version it was asked in."""
    return status == 400 and _REFUSAL.search(message) is not None


def _engine(answer: Mapping[str, Any]) -> str:
    components = answer.get("Components")
    names = [
        str(each.get("Name"))
        for each in (components if isinstance(components, list) else ())
        if isinstance(each, Mapping)
    ]
    return "Podman" if any("Podman" in name for name in names) else "Docker"


def _parsed(version: object) -> _Version:
    found = re.fullmatch(r"(\d{1,4})\.(\d{1,4})", version) if isinstance(version, str) else None
    if found is None:
        raise ValueError("it does not say its API version")
    return int(found[1]), int(found[2])


def _text(version: _Version) -> str:
    return f"{version[0]}.{version[1]}"
