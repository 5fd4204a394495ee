"""What ssh runs on a node: standard input and output, relayed to the control socket."""

from __future__ import annotations

import os
import select
from contextlib import suppress

from plancton.control.transport import Transport

_CHUNK = 65536


def relay(transport: Transport, source: int = 0, sink: int = 1) -> None:
    """Pass bytes both ways until either side ends: who asks stays until the answer is there.

    An engine that ends with a question unread resets the connection; that is an end, too.
    """
    with transport.connect(transport.timeout) as connection, suppress(ConnectionError):
        engine = connection.socket
        engine.settimeout(None)
        while True:
            ready, _, _ = select.select([source, engine.fileno()], [], [])
            if source in ready:
                request = os.read(source, _CHUNK)
                if not request:
                    return
                engine.sendall(request)
            if engine.fileno() in ready:
                response = engine.recv(_CHUNK)
                if not response:
                    return
                _write(sink, response)


def _write(sink: int, data: bytes) -> None:
    while data:
        data = data[os.write(sink, data) :]
