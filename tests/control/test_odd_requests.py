"""Requests that make no sense: each is answered by a status that fits, and one sentence."""

from __future__ import annotations

import json
import logging
import random
import socket
from typing import Any

import pytest

from plancton.control.protocol import MAX_BODY
from tests.control.conftest import Stage

_HOST = b"Host: plancton\r\n"


def answer_to(stage: Stage, raw: bytes) -> tuple[int, bytes]:
    """Return status and body of the first answer to these bytes; 0 if there is none."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(10)
        wire.connect(str(stage.path))
        wire.sendall(raw)
        wire.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: wire.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


def post(path: bytes, body: bytes, *headers: bytes) -> bytes:
    """Return a request."""
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: plancton", *headers]
    length = [] if headers else [b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, *length, b"", body])


def preview(body: bytes, *headers: bytes) -> bytes:
    """Return a request for a preview."""
    return post(b"/v1/config/preview", body, *headers)


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        (preview(b"", b"Content-Length: -5"), 400, "Content-Length"),
        (preview(b"", b"Content-Length: 1e3"), 400, "Content-Length"),
        (preview(b"{}", b"Content-Length: 2", b"Content-Length: 3"), 400, "Content-Length"),
        (preview(b"", b"Content-Length: 99999999999999999999"), 413, "larger than"),
        (preview(b"zz\r\n", b"Transfer-Encoding: chunked"), 400, "chunk"),
        (preview(b"{}", b"Content-Length: 9"), 400, "closed"),
        (preview(b"#" * (MAX_BODY + 1)), 413, "larger than"),
        (preview(b"\xff\xfe"), 400, "UTF-8"),
        (preview(b"\0"), 422, "candidate"),
        (preview(b"[" * 100_000), 422, "candidate"),
        (preview(b"{a: " * 5_000), 422, "candidate"),
        (preview(b"- " * 100_000), 422, "candidate"),
        (preview(b"[1, 2]"), 422, "candidate"),
        (preview(b"12"), 422, "candidate"),
        (preview(b"9" * 100_000), 422, "candidate"),
        (preview(b"spawn: {maximum: " + b"9" * 5_000 + b"}"), 422, "candidate"),
        (preview("spawn: \ud800".encode("utf-8", "surrogatepass")), 400, "UTF-8"),
        (preview(b'"\\ud800"'), 422, "candidate"),
        (preview(b'{"\\ud800": 1}'), 422, "candidate"),
        (preview(b'node: {name: "\\ud800"}'), 422, "candidate"),
        (b"GET /v1/status HTTP/1.1\r\n\r\n", 400, "Host"),
        (b"GET /%ff%00%ed%a0%80 HTTP/1.1\r\n" + _HOST + b"\r\n", 404, "there is no"),
        (b"GET /v1/status HTTP/1.1\r\n" + _HOST + b"X: " + b"x" * 20_000, 431, ""),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400, ""),
        (b"GET /v1/pilots/x/logs?tail=-1 HTTP/1.1\r\n" + _HOST + b"\r\n", 400, "tail"),
        (b"GET /v1/pilots/x/logs?tail=%C2%B2 HTTP/1.1\r\n" + _HOST + b"\r\n", 400, "tail"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_an_odd_request_is_refused_in_one_sentence(
    stage: Stage, request_: bytes, status: int, words: str
) -> None:
    """And those after it are answered."""
    stage.rig.run(5)
    got, body = answer_to(stage, request_)
    assert got == status, body
    answer: dict[str, Any] = json.loads(body)
    assert list(answer) == ["error"]
    assert words in answer["error"]
    assert stage.remote.snapshot()


def test_a_fault_of_ours_is_said_and_logged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is answered by 500 with a sentence, and the log has where it was."""
    stage.rig.run(5)

    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(stage.local, "health", broken)
    with caplog.at_level(logging.ERROR, "plancton"):
        got, body = answer_to(stage, b"GET /healthz HTTP/1.1\r\n" + _HOST + b"\r\n")
    assert got == 500
    assert json.loads(body)["error"] == "a fault of Plancton: ZeroDivisionError; its log has more"
    assert "Traceback" in caplog.text
    assert "/healthz" in str(caplog.records[-1].__dict__["fields"])


_PIECES = [
    *(b"{", b"}", b"[", b"]", b": ", b", ", b"\n", b"- ", b"  ", b"&a ", b"*a", b"<<: ", b"!!int "),
    *(b"spawn", b"maximum", b"pilots", b"name", b"image", b"protect", b"allow", b"node", b"match"),
    *(b"null", b"true", b"1e999", b".nan", b"-0", b"0x_", b"12:30", b"'", b'"', b"\0", b"\xff"),
    *(b"\\ud800", b"\xc2\x85", b"\xef\xbb\xbf", b"%YAML 9", b"---", b"...", b"|", b">", b"?", b"="),
]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_asked_is_answered(
    stage: Stage, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    """Random texts as previews, and requests with bytes turned: never 500, never nothing."""
    stage.rig.run(5)
    chance = random.Random(seed)  # noqa: S311 (a seed that repeats)
    whole = preview(b"spawn: {maximum: 1}", b"Content-Length: 19")
    for number in range(150):
        text = b"".join(chance.choices(_PIECES, k=chance.randint(1, 25)))
        asked = preview(text)
        if number % 2:
            turned = bytearray(whole)
            for _ in range(chance.randint(1, 4)):
                turned[chance.randrange(len(turned))] = chance.randrange(256)
            asked = bytes(turned)
        status, body = answer_to(stage, asked)
        assert status in (200, 400, 404, 405, 408, 413, 422, 431, 501), (asked, status, body)
        assert body, asked
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]
