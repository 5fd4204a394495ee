"""A web server whose answers tests choose."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable
from typing import Any

from plancton.config.schema import Remote


class Web:
    """A server on loopback whose answers tests choose."""

    def __init__(self) -> None:
        """Serve a good file at first."""
        self.status, self.body = 200, b"spawn: {maximum: 1}\n"
        self.headers: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.act: Callable[[http.server.BaseHTTPRequestHandler], None] | None = None
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(dict(self.headers))
                if web.act is not None:
                    web.act(self)
                    return
                tag = self.headers.get("If-None-Match")
                same = tag is not None and tag == web.headers.get("ETag")
                self.send_response(304 if same else web.status)
                for name, value in web.headers.items():
                    self.send_header(name, value)
                if not same:
                    self.send_header("Content-Length", str(len(web.body)))
                self.end_headers()
                if not same:
                    self.wfile.write(web.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self.server.server_port}/config.yaml"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def remote(self, **fields: Any) -> Remote:
        """Return what names this server."""
        return Remote.model_validate({"url": self.url, "allow_http": True, "timeout": 2, **fields})
