"""What the source of a configuration means, as an administrator writes it."""

from __future__ import annotations

import re
from pathlib import Path

from plancton.config.schema import Remote
from plancton.config.write import without_credentials
from plancton.engine.api import RefusedError
from plancton.service.installer.options import SetupOptions

_GITHUB = re.compile(r"([\w.-]+/[\w.-]+?)(?:\.git)?(?::([\w./-]+))?")


def remote_from(options: SetupOptions) -> Remote | None:
    """Return what the source means as a remote one; None: a file or a folder here."""
    source = options.source
    if Path(source).exists():
        return None
    if re.match(r"(git\+)?(https?|ssh|file)://", source):
        url = source
        if re.match(r"https?://[^#]+\.git(#|$)", url) or url.startswith(("ssh://", "file://")):
            url = f"git+{url}"
    elif found := re.fullmatch(r"([\w.-]+@[\w.-]+):(?!//)(\S+)", source):
        url = f"git+ssh://{found[1]}/{found[2]}"
    elif found := _GITHUB.fullmatch(source):
        url = f"git+https://github.com/{found[1]}.git" + (f"#{found[2]}" if found[2] else "")
    else:
        raise RefusedError(
            f"{source} is no file or folder here, and no USER/REPO[:BRANCH], git or https address"
        )
    values = {"url": url, "ca_file": options.ca_file, "allow_http": options.allow_http}
    try:
        return Remote.model_validate(values)
    except ValueError as error:
        words = str(error).partition("Value error, ")[2].partition(" [")[0]
        raise RefusedError(f"{without_credentials(url)}: {words or error}") from None
