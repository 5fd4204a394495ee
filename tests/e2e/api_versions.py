"""Engines of other API versions, played by the proxy in front of the real one."""

from __future__ import annotations

import json
import re

from tests.e2e.docker_proxy import Exchange


class ApiVersions:
    """Answers as an engine that speaks *oldest* to *newest*: give it to ``DockerProxy.spoil``.

    What it takes is asked of the real engine in the version that this one speaks.
    """

    def __init__(self, oldest: str, newest: str, real: str) -> None:
        """*real* is a version that the real engine takes."""
        self.oldest, self.newest, self._real = oldest, newest, real
        self.asked: set[str] = set()
        """Versions that were asked in and taken."""
        self.refused: set[str] = set()

    def __call__(self, exchange: Exchange) -> None:
        """Answer one request."""
        if not exchange.line:
            return None  # somebody looked who listens
        path = exchange.line.split()[1]
        versioned = re.match(r"/v(\d+\.\d+)/", path)
        if versioned is None:
            return self._answer_plain(exchange, path)
        version = versioned[1]
        for odd, word, bound, limit in (
            (_key(version) < _key(self.oldest), "old", "Minimum", self.oldest),
            (_key(version) > _key(self.newest), "new", "Maximum", self.newest),
        ):
            if odd:
                self.refused.add(version)
                said = f"client version {version} is too {word}. {bound} supported API version is "
                return exchange.send(json.dumps({"message": said + limit}).encode(), 400)
        self.asked.add(version)
        exchange.readdress(f"/v{version}/", f"/v{self._real}/")
        if _key(version) >= (1, 52) and path.split("?")[0].endswith("/events"):
            return _send_events(exchange)
        return exchange.pass_on()

    def _answer_plain(self, exchange: Exchange, path: str) -> None:
        if path != "/version":
            return exchange.pass_on()
        answer = json.loads(exchange.answer()[1])
        answer |= {"Version": "9.9.9", "ApiVersion": self.newest, "MinAPIVersion": self.oldest}
        return exchange.send(json.dumps(answer).encode())


def _send_events(exchange: Exchange) -> None:
    """Send events as they are from API 1.52 on."""
    exchange.begin()
    for line in exchange.lines():
        event = json.loads(line)
        for gone in ("status", "id", "from"):
            event.pop(gone, None)
        exchange.send_chunk(json.dumps(event).encode() + b"\n")


def _key(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
