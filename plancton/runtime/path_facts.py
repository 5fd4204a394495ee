"""A program of its own: says where paths lead and whether they can be used, a line each, in order.

Any of these looks may hang for ever, in the kernel, where nothing ends it. So this runs in a
process that may hang; ``path_probe`` starts it and waits only so long. It imports little, for it
is started before each pilot with binds.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import posixpath
import sys

_MOST_LINKS = 40
"""As many as the kernel follows (path_resolution(7))."""


def resolve(root: str, path: str) -> str:
    """Return where an absolute *path* leads for a process whose root is *root* (empty: ours).

    What is not there is taken as it is written. OSError if there are too many links.
    """
    place, left, links = "/", posixpath.normpath(path).split("/")[::-1], 0
    while left:
        part = left.pop()
        if part in ("", "."):
            continue
        if part == "..":
            place = posixpath.dirname(place)
            continue
        here = posixpath.join(place, part)
        try:
            target = os.readlink(root + here)  # noqa: PTH115 (quick)
        except OSError:  # no link, or not there
            place = here
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        place = "/" if target.startswith("/") else place
        left += target.split("/")[::-1]
    return place


def facts(root: str, path: str) -> tuple[str, int]:
    """Return where a path leads, and the errno of a look at it (0: it can be used)."""
    real = path
    try:
        real = resolve(root, path)
        os.lstat(root + real)
    except OSError as error:
        return real, error.errno or errno.EIO
    with contextlib.suppress(OSError):  # as long as it answers
        os.statvfs(root + real)  # the kernel answers it from no cache, and mounts what autofs has
    return real, 0


if __name__ == "__main__":
    for each in sys.argv[2:]:
        print(json.dumps(facts(sys.argv[1], each)), flush=True)
