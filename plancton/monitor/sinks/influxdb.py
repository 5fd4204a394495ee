"""InfluxDB 1.x, and what takes its write requests: 2.x and 3.x, VictoriaMetrics."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import requests
import urllib3
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError
from influxdb.line_protocol import make_lines
from influxdb.resultset import ResultSet

from plancton.config.schema import InfluxTarget
from plancton.config.write import without_credentials
from plancton.monitor.points import MetricPoint
from plancton.monitor.sink import RejectedError, SendResult, UnavailableError
from plancton.runtime.http_session import HttpSession

TIMEOUT = 10.0
"""Seconds that a connection, and then each part of an answer, may take."""


_NO_DATABASE = "that is no answer of an InfluxDB"
_ADVICE = {
    200: _NO_DATABASE,
    401: "check user, password or token",
    403: "the user may not do this",
    404: "does the database exist?",
}


def line_protocol(points: Iterable[MetricPoint]) -> list[str]:
    """Return points in the line protocol (docs.influxdata.com), by the client's own encoder."""
    plain = [
        {
            "measurement": point.measurement,
            "tags": {key: _one_line(value) for key, value in point.tags.items()},
            "fields": dict(point.fields),
            "time": point.at,
        }
        for point in points
    ]
    return [
        text for each in plain for text in [str(make_lines({"points": [each]}, "n")).rstrip("\n")]
    ]


def _one_line(text: str) -> str:
    """Return *text* without line breaks: the line protocol has no escape for them in tags."""
    return " ".join(text.splitlines())


def connect(
    target: InfluxTarget, session: requests.Session | None = None, timeout: float | None = None
) -> InfluxDBClient:
    """Return the client of a target; nothing is sent yet."""
    address, _, database = target.url.partition("#")
    parts, verify = parse_address(address, target.ca_file)
    return InfluxDBClient(
        host=_host(parts.hostname or ""),
        port=parts.port or 8086,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        database=database,
        ssl=parts.scheme == "https",
        verify_ssl=verify,
        timeout=timeout or TIMEOUT,
        retries=1,  # the delivery queue tries again
        path=parts.path.rstrip("/"),
        gzip=True,
        session=session,
        headers={"Authorization": f"Token {target.token}"} if target.token else None,
    )


def parse_address(address: str, ca_file: str) -> tuple[SplitResult, bool | str]:
    """Return an address whose scheme is http or https, and what certificates are checked by."""
    checked = address.removeprefix("insecure_")
    if checked == address:
        return urlsplit(address), ca_file or True
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # it was asked for
    return urlsplit(checked), False


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name


class InfluxSink:
    """Implements ``sink.MetricsSink`` on one database."""

    def __init__(self, target: InfluxTarget) -> None:
        """Prepare; nothing is sent yet."""
        self.name = f"InfluxDB {without_credentials(target.url)}"
        self._target = target
        self._database = target.url.partition("#")[2]
        self._response: requests.Response | None = None
        session = HttpSession()
        session.hooks["response"] = [self._keep_response]
        self._client = connect(target, session)
        self._database_created = not target.create

    def send(self, records: list[str]) -> SendResult:
        """Write lines; the database is made first if it may be."""
        if not self._database_created:
            self._create_database()
        params = {"db": self._database, "precision": "n"}
        if self._target.retention_policy:
            params["rp"] = self._target.retention_policy
        # VictoriaMetrics and old releases answer 204, a proxy of InfluxDB 3 may say 200.
        self._request(lambda: self._client.write(records, params, protocol="line"))
        return SendResult()

    def query(self, query: str) -> list[dict[str, Any]]:
        """Return the series that answer a query, times in nanoseconds.

        Raises UnavailableError, RejectedError.
        """
        found = self._request(lambda: self._client.query(query, epoch="ns"))
        if not isinstance(found, ResultSet):
            raise UnavailableError(_NO_DATABASE)
        return list(found.raw.get("series", ()))

    def _create_database(self) -> None:
        """Make the database. Who may not is let alone: it is there, or the write will say so."""
        with suppress(RejectedError, _NotPermittedError):
            self._request(lambda: self._client.create_database(self._database))
        self._database_created = True

    def _request(self, work: Callable[[], Any]) -> Any:
        self._response = None
        try:
            return work()
        except InfluxDBClientError as error:
            raise self._error_for(error.code, str(error.content)) from None
        except InfluxDBServerError as error:
            code = self._response.status_code if self._response is not None else 500
            raise self._error_for(code, str(error)) from None
        except requests.exceptions.JSONDecodeError:
            raise UnavailableError(_NO_DATABASE) from None
        except (requests.exceptions.RequestException, OSError) as error:
            raise UnavailableError(failure_text(error)) from None

    def _error_for(self, code: int | None, content: str) -> Exception:
        response = self._response
        after = retry_after_seconds(response.headers if response is not None else {})
        text = f"it answers {code}: {_error_text(content)}" if code else _error_text(content)
        if code in (400, 413, 422):
            return RejectedError(text, too_large=code == 413)
        if code in (404, 405):
            self._database_created = not self._target.create
        what = _NotPermittedError if code in (403, 404, 405) else UnavailableError
        advice = _ADVICE.get(code or 0, "")
        return what(f"{text} - {advice}" if advice else text, after)

    def _keep_response(self, response: requests.Response, **_: Any) -> None:
        self._response = response


class _NotPermittedError(UnavailableError):
    """The user has not the right, or the server does not know this; either may change."""


def retry_after_seconds(headers: Mapping[str, str]) -> float:
    """Return the seconds a server asks to be let alone; 0: it does not."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0


def _error_text(content: str) -> str:
    found = re.search(r'"error"\s*:\s*"((?:[^"\\]|\\.)*)"', content)
    return (found.group(1) if found else content.removeprefix("b'").rstrip("'\n") or "nothing")[
        :200
    ]


def failure_text(error: Exception) -> str:
    """Say in a few words why there was no answer."""
    match error:
        case requests.exceptions.SSLError():
            return f"its certificate is not trusted, or it speaks no TLS ({_innermost_text(error)})"
        case requests.exceptions.Timeout():
            return f"no answer within {TIMEOUT:g} s"
        case requests.exceptions.ConnectionError():
            return f"it cannot be reached ({_innermost_text(error)})"
    return _innermost_text(error)


def _innermost_text(error: BaseException) -> str:
    """Return the innermost words: the outer ones repeat addresses and objects."""
    found: BaseException = error
    while True:
        inner = getattr(found, "reason", None) or next(
            (each for each in found.args if isinstance(each, BaseException)), None
        )
        if not isinstance(inner, BaseException):
            break
        found = inner
    text = str(getattr(found, "strerror", None) or found)
    number = re.search(r"\[Errno -?\d+\] ([^)]+)", text)
    if number:
        return number.group(1)
    return re.sub(r"^<[^>]*>:\s*|^.*object at 0x[0-9a-f]+>:\s*", "", text)[:200]
