"""Elasticsearch and OpenSearch: documents by ``_bulk``, which both have kept the same.

The official client of each refuses the other's servers, so this speaks HTTP by ``requests``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import requests

from plancton.config.schema import ElasticTarget
from plancton.config.write import without_credentials
from plancton.engine.views.snapshot import DecisionRecord, EndedPilot, Snapshot
from plancton.monitor.points import node_points
from plancton.monitor.sink import RejectedError, SendResult, UnavailableError
from plancton.monitor.sinks.influxdb import (
    TIMEOUT,
    failure_text,
    parse_address,
    retry_after_seconds,
)
from plancton.runtime.http_session import HttpSession

Document = dict[str, Any]
_VERSION = 1
_NUMBERS = {"type": "double"}
_WORDS = {"type": "keyword", "ignore_above": 1024}


def template(target: ElasticTarget) -> Document:
    """Return the index template: times, figures as numbers, words whole, sentences as text."""
    sentences = {name: {"type": "text"} for name in ("reason", "trouble", "log", "text", "error")}
    dynamic = [
        {"words": {"match_mapping_type": "string", "mapping": _WORDS}},
        {"whole": {"match_mapping_type": "long", "mapping": _NUMBERS}},
    ]
    values = {"values": {"type": "object", "enabled": False}}
    mappings = {
        "dynamic_templates": dynamic,
        "properties": {"@timestamp": {"type": "date"}, **sentences, **values},
    }
    stream: Document = {} if target.dated else {"data_stream": {}}
    return {
        "index_patterns": [f"{target.prefix}-{kind}*" for kind in ("node", "ends", "decisions")],
        "priority": 200,
        "version": _VERSION,
        "template": {"mappings": mappings},
        **stream,
    }


def node_records(s: Snapshot, interval: float) -> list[str]:
    """Return the document of one snapshot: the figures of all its points."""
    found: Document = {"node": s.node, "instance": s.instance}
    for point in node_points(s, interval):
        name = point.measurement.removeprefix("plancton_")
        if name in ("node", "host", "engine", "ledger"):
            found |= {name if name != "node" else "status": dict(point.fields)}
        elif name == "pilots":
            found.setdefault("pilots", {})[point.tags["profile"]] = dict(point.fields)
        elif name == "objective":
            figures = {"name": point.tags["objective"], **point.fields}
            found.setdefault("objectives", []).append(figures)
    return [_record("node", s.wall, found)]


def event_records(node: str, instance: str, event: EndedPilot | DecisionRecord) -> list[str]:
    """Return the document of a pilot's end, or of a decision."""
    found: Document = {"node": node, "instance": instance}
    if isinstance(event, EndedPilot):
        found |= {
            "pilot": event.name,
            "container": event.id,
            "profile": event.profile,
            "code": event.code,
            "reason": event.reason,
            "exit_code": event.exit_code,
            "oom_killed": event.oom_killed,
            "started": event.started,
            "lifetime": event.lifetime,
            "core_seconds": event.core_seconds,
            "log": event.log,
        }
        return [_record("ends", event.ended_wall, found)]
    found |= {
        "did": event.did,
        "subject": event.subject,
        "code": event.code,
        "text": event.text,
        "values": dict(event.values),
        "error": event.error,
    }
    return [_record("decisions", event.wall, found)]


def _record(kind: str, wall: float, fields: Document) -> str:
    """Return a line of its own: kind, ID, day and document. The same content has the same ID."""
    moment = datetime.fromtimestamp(wall, UTC)
    document = {"@timestamp": moment.isoformat(timespec="milliseconds"), **fields}
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    mark = hashlib.sha256(f"{wall!r}{text}".encode()).hexdigest()[:24]
    return f"{kind} {mark} {moment:%Y.%m.%d} {text}"


class ElasticsearchSink:
    """Implements ``sink.MetricsSink`` on one cluster."""

    def __init__(self, target: ElasticTarget) -> None:
        """Prepare; nothing is sent yet."""
        self.name = f"Elasticsearch {without_credentials(target.url)}"
        self._target = target
        parts, verify = parse_address(target.url, target.ca_file)
        host = parts.netloc.rpartition("@")[2]
        self._base = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
        self._session = HttpSession()
        self._session.verify = verify
        if target.api_key:
            self._session.headers["Authorization"] = f"ApiKey {target.api_key}"
        elif parts.username:
            self._session.auth = (unquote(parts.username), unquote(parts.password or ""))
        self._template_installed = not target.template

    def send(self, records: list[str]) -> SendResult:
        """Store documents; those that are there already count as stored."""
        if not self._template_installed:
            self._install_template()
        text = "".join(self._bulk_lines(record) for record in records)
        response = self._request("POST", "/_bulk", text.encode(), "application/x-ndjson")
        if response.status_code != requests.codes.ok:
            raise _error_for(response)
        return _result_of(records, response)

    def _bulk_lines(self, record: str) -> str:
        kind, mark, day, document = record.split(" ", 3)
        ending = f"-{day}" if self._target.dated else ""
        action = {"create": {"_index": f"{self._target.prefix}-{kind}{ending}", "_id": mark}}
        return f"{json.dumps(action)}\n{document}\n"

    def _install_template(self) -> None:
        """Put the template. Who may not is let alone: an administrator has, or it goes without."""
        body = json.dumps(template(self._target)).encode()
        place = f"/_index_template/{self._target.prefix}"
        response = self._request("PUT", place, body, "application/json")
        if response.status_code not in (200, 400, 403, 404, 405):
            raise _error_for(response)
        self._template_installed = True

    def _request(self, method: str, path: str, body: bytes, media: str) -> requests.Response:
        headers = {"Content-Type": media}
        try:
            return self._session.request(
                method,
                self._base + path,
                data=body,
                headers=headers,
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except (requests.exceptions.RequestException, OSError) as error:
            raise UnavailableError(failure_text(error)) from None


def _error_for(response: requests.Response) -> Exception:
    code = response.status_code
    text = f"it answers {code}: {_error_text(response)}"
    match code:
        case 401:
            return UnavailableError(f"{text} - check user, password or api_key")
        case 403:
            return UnavailableError(f"{text} - the user may not write there")
        case 413:
            return RejectedError(text, too_large=True)
        case 400:
            return RejectedError(text)
    return UnavailableError(text, retry_after_seconds(response.headers))


def _error_text(response: requests.Response) -> str:
    try:
        error = response.json()["error"]
        return str(error["reason"] if isinstance(error, Mapping) else error)[:200]
    except (ValueError, KeyError, TypeError):
        return response.text[:200].strip() or "nothing"


def _result_of(records: list[str], response: requests.Response) -> SendResult:
    """Tell what was stored, refused, or is to be sent again; each document has its own status."""
    try:
        items = [next(iter(item.values())) for item in response.json()["items"]]
        statuses = [(int(item["status"]), item.get("error")) for item in items]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnavailableError("its answer is none of _bulk") from None
    if len(statuses) != len(records):
        raise UnavailableError("its answer has not one status for each document")
    # 409: the document is there already, from a try whose answer was lost.
    bad = [(code, why) for code, why in statuses if code >= 300 and code != 409]
    retry = tuple(
        record
        for record, (code, _) in zip(records, statuses, strict=True)
        if code == 429 or code >= 500
    )
    return SendResult(len(bad) - len(retry), retry, _first_error(bad))


def _first_error(bad: Iterable[tuple[int, Any]]) -> str:
    for code, why in bad:
        reason = why.get("reason") if isinstance(why, Mapping) else why
        return f"document refused with {code}: {reason}"[:200]
    return ""
