"""A strict stand-in for Elasticsearch: it takes what the protocol of _bulk allows, and no more."""

from __future__ import annotations

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class BulkServer:
    """Keeps documents by index and ID, in memory."""

    def __init__(self, user: str = "", api_key: str = "", rights: str = "all") -> None:
        """Let in who has *user* (name:password) or *api_key*; *rights*: all, or write."""
        self.user, self.api_key, self.rights = user, api_key, rights
        self.documents: dict[str, dict[str, dict[str, Any]]] = {}
        self.templates: dict[str, dict[str, Any]] = {}
        self.fault: int | None = None
        """An answer's code; None: none."""
        self.item_faults: list[int] = []
        """Statuses that the next documents get instead of being stored."""
        self.most = 10_000_000
        """Most bytes of a request."""
        self.errors: list[str] = []
        """What the client did wrong."""
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                code, answer = store.handle(self.command, self.path, dict(self.headers), body)
                text = json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_PUT = do_POST

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, Any]]:
        """Return code and answer of one request."""
        if self.fault:
            return self.fault, {"error": {"reason": "as told"}, "status": self.fault}
        if not self._may(headers.get("Authorization", "")):
            return 401, {"error": {"reason": "unable to authenticate"}, "status": 401}
        if match := re.fullmatch(r"/_index_template/([a-z.-]+)", path):
            return self._template(match.group(1), body)
        if (method, path) != ("POST", "/_bulk"):
            return self._wrong(f"{method} {path}")
        if headers.get("Content-Type") != "application/x-ndjson":
            return 406, {"error": "Content-Type header is not supported", "status": 406}
        if len(body) > self.most:
            return 413, {}
        if not body.endswith(b"\n"):
            return self._wrong("The bulk request must be terminated by a newline [\\n]")
        return self._bulk(body.decode().split("\n")[:-1])

    def _may(self, given: str) -> bool:
        if self.api_key:
            return given == f"ApiKey {self.api_key}"
        mark = base64.b64encode(self.user.encode()).decode()
        return given == f"Basic {mark}" if self.user else not given

    def _template(self, name: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if self.rights == "write":
            return 403, {"error": {"reason": "action is unauthorized"}, "status": 403}
        values = json.loads(body)
        known = {"index_patterns", "priority", "version", "template", "data_stream"}
        if not set(values) <= known or not values["index_patterns"]:
            return self._wrong(f"template {name}")
        self.templates[name] = values
        return 200, {"acknowledged": True}

    def _bulk(self, lines: list[str]) -> tuple[int, dict[str, Any]]:
        if len(lines) % 2:
            return self._wrong("an action without a document")
        items = [self._item(*lines[n : n + 2]) for n in range(0, len(lines), 2)]
        bad = any(item["create"]["status"] >= 300 for item in items)
        return 200, {"took": 1, "errors": bad, "items": items}

    def _item(self, action: str, line: str) -> dict[str, Any]:
        ((verb, meta),) = json.loads(action).items()
        document = json.loads(line)
        index, id_ = meta["_index"], meta["_id"]
        stream = any("data_stream" in t and _fits(index, t) for t in self.templates.values())
        if verb != "create" or "@timestamp" not in document:
            self._wrong(f"{verb} into {index}")
        if not stream and self.rights == "all" and not re.search(r"-\d{4}\.\d\d\.\d\d$", index):
            self._wrong(f"{index} is neither a data stream nor dated")
        status, kept = 201, self.documents.setdefault(index, {})
        if self.item_faults:
            status = self.item_faults.pop(0)
        elif id_ in kept:
            status = 409
        else:
            kept[id_] = document
        answer = {"_index": index, "_id": id_, "status": status}
        if status >= 300:
            answer["error"] = {"type": "as_told", "reason": f"as told: {status}"}
        return {"create": answer}

    def _wrong(self, what: str) -> tuple[int, dict[str, Any]]:
        self.errors.append(what)
        return 400, {"error": {"reason": what}, "status": 400}

    def count(self, index: str = "") -> int:
        """Return how many documents there are, in indices that begin so."""
        return sum(len(docs) for name, docs in self.documents.items() if name.startswith(index))

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()


def _fits(index: str, template: dict[str, Any]) -> bool:
    patterns = template["index_patterns"]
    return any(index.startswith(pattern.rstrip("*")) for pattern in patterns)
