"""The node's own time of day."""

from __future__ import annotations

import time


def local_time() -> time.struct_time:
    """Return the time by the zone the machine has now, or TZ has.

    The C library keeps the zone that it read first; ``tzset`` has it look at /etc/localtime again,
    which ``timedatectl set-timezone`` replaces.
    """
    time.tzset()
    return time.localtime()
