"""The proxies of Docker's own config.json, which its command line gives to each container.

The engine does not: whoever creates containers by its API has to read the file as ``docker run``
does. Addresses may hold passwords, so they are never logged.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger("plancton")

_NAMES = {
    "httpProxy": "HTTP_PROXY",
    "httpsProxy": "HTTPS_PROXY",
    "ftpProxy": "FTP_PROXY",
    "noProxy": "NO_PROXY",
    "allProxy": "ALL_PROXY",
}


class DockerProxies:
    """Reads the file anew for each pilot, so that a change of it needs no restart."""

    def __init__(self, url: str, docker_config: str = "") -> None:
        """Read for the engine at *url*; without *docker_config*, Docker's usual folder."""
        usual = os.environ.get("DOCKER_CONFIG") or Path("~/.docker").expanduser()
        place = Path(docker_config or usual)
        # Unlike Path's, this look says no where it has no right to.
        is_file = docker_config and not os.path.isdir(place)  # noqa: PTH112
        self.file = place if is_file else place / "config.json"
        self.url = url
        self._failed = False

    def environment(self) -> dict[str, str]:
        """Return variables for a new pilot; none where the file names no proxies."""
        try:
            found = proxy_environment(json.loads(self.file.read_text()), self.url)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, RecursionError) as error:
            # Never the error itself: it may quote the file.
            if not self._failed:
                why = error.strerror if isinstance(error, OSError) else "it is no JSON of Docker's"
                fields = {"file": self.file, "error": why}
                log.warning("pilots get no proxies", extra={"fields": fields})
            self._failed = True
            return {}
        self._failed = False
        return found


def proxy_environment(config: Any, url: str) -> dict[str, str]:
    """Return the variables that *config* asks for; TypeError if it makes no sense.

    The section of the engine at *url* wins over the default one as a whole. Each variable is
    given in capitals and in small letters.
    """
    proxies = _section(_section(config, "proxies"), url, "default")
    found: dict[str, str] = {}
    for key, name in _NAMES.items():
        value = proxies.get(key) or ""
        if not isinstance(value, str):
            raise TypeError(f"proxies: {key} is no text")
        if value:
            found |= {name: value, name.lower(): value}
    return found


def _section(values: Any, *names: str) -> Mapping[str, Any]:
    """Return the first of the named sections that is there; an empty one if none is."""
    if not isinstance(values, Mapping):
        raise TypeError("not a section")
    found: Any = next((values[name] for name in names if values.get(name) is not None), {})
    if not isinstance(found, Mapping):
        raise TypeError("not a section")
    return found
