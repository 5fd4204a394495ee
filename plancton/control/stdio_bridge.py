"""What ssh runs on a node: standard input and output, relayed to the control socket."""

from __future__ import annotations

import os
import select

from plancton.control.transport import Transport

_CHUNK = 65536


def relay(transport: Transport, source: int = 0, sink: int = 1) -> None:
    """Pass bytes both ways until either side ends: who asks stays until the answer is there."""
    with transport.connected(transport.timeout) as connection:
        wire = connection.socket
        wire.settimeout(None)
        while True:
            ready, _, _ = select.select([source, wire.fileno()], [], [])
            if source in ready:
                asked = os.read(source, _CHUNK)
                if not asked:
                    return
                wire.sendall(asked)
            if wire.fileno() in ready:
                answer = wire.recv(_CHUNK)
                if not answer:
                    return
                _write(sink, answer)


def _write(sink: int, data: bytes) -> None:
    while data:
        data = data[os.write(sink, data) :]
