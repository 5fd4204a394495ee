"""The doctor's look at a rootless Docker that does not answer. ``gather`` looks, ``judge`` is pure.

Each of its parts may be missing alone, and its own messages name none of them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plancton.cli.doctor.check import Check

_WHAT = "rootless Docker"
_PACKAGES = {
    "uidmap (Fedora: shadow-utils)": ("newuidmap", "newgidmap"),
    "docker-ce-rootless-extras": ("dockerd-rootless.sh",),
}
_SETUP = "dockerd-rootless-setuptool.sh install, then systemctl --user start docker"


@dataclass(frozen=True, slots=True)
class RootlessFacts:
    """What a user has of a rootless Docker."""

    user: str
    folder: str
    """Of the user's sockets: ``$XDG_RUNTIME_DIR``, or where it should be."""
    is_set: bool = True
    """The environment names the folder."""
    has_folder: bool = True
    has_session: bool = True
    """systemd runs for the user."""
    missing: tuple[str, ...] = ()
    """Programs that are not installed."""
    unmapped: tuple[str, ...] = ()
    """Files that give the user no range of IDs."""
    has_socket: bool = True

    @property
    def socket(self) -> str:
        """Where it listens."""
        return f"{self.folder}/docker.sock"


def check_rootless(url: str) -> list[Check]:
    """Check what a rootless Docker needs, where there is one, and the engine at *url* is away."""
    facts = gather()
    concerns = shutil.which("dockerd-rootless.sh") or url.startswith(f"unix://{facts.folder}/")
    return list(judge(facts, url)) if os.geteuid() and concerns else []


def gather(subids: Path = Path("/etc")) -> RootlessFacts:
    """Look at what the user of this process has; the ranges of IDs are in files of *subids*."""
    uid, named = os.geteuid(), os.environ.get("XDG_RUNTIME_DIR", "")
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    folder = named or f"/run/user/{uid}"
    programs = (each for programs in _PACKAGES.values() for each in programs)
    files = (subids / "subuid", subids / "subgid")
    return RootlessFacts(
        user,
        folder.rstrip("/"),
        bool(named),
        os.path.isdir(folder),  # noqa: PTH112 (no right to look is no)
        _is_socket(f"{folder}/systemd/private"),
        tuple(each for each in programs if shutil.which(each) is None),
        tuple(str(file) for file in files if not _names(file, (user, str(uid)))),
        _is_socket(f"{folder}/docker.sock"),
    )


def _is_socket(place: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(place).st_mode)  # noqa: PTH116 (as above)
    except OSError:
        return False


def _names(file: Path, names: tuple[str, str]) -> bool:
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return False
    return any(line.partition(":")[0] in names for line in lines)


def judge(facts: RootlessFacts, url: str) -> Iterator[Check]:
    """Yield what is missing, in the order in which it must be mended."""
    user = facts.user
    for package, programs in _PACKAGES.items():
        missing = [each for each in programs if each in facts.missing]
        if missing:
            found = f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} not installed"
            yield Check(_WHAT, "FAIL", found, f"install the package {package}, then {_SETUP}")
    if facts.unmapped:
        ids = " ".join(f"--add-{Path(each).name}s 100000-165535" for each in facts.unmapped)
        found = f"no range for {user} in {' and '.join(facts.unmapped)}"
        yield Check(_WHAT, "FAIL", found, f"as root: usermod {ids} {user} (a range of its own)")
    if not facts.has_folder:
        mend = f"as root: loginctl enable-linger {user}; then log in by ssh or the console, not su"
        yield Check(_WHAT, "FAIL", f"no user session: {facts.folder} does not exist", mend)
    elif not facts.is_set:
        mend = f"log in by ssh or the console, not su, or export XDG_RUNTIME_DIR={facts.folder}"
        yield Check(_WHAT, "WARN", "XDG_RUNTIME_DIR is not set: systemctl --user fails", mend)
    if facts.has_folder and not facts.has_session:
        mend = "install dbus-user-session and log in again, or run dockerd-rootless.sh by hand"
        yield Check(_WHAT, "WARN", f"systemd does not run for {user}", mend)
    if facts.has_folder and not facts.has_socket:
        yield Check(_WHAT, "FAIL", f"no socket at {facts.socket}: it does not run", _SETUP)
    elif facts.has_socket and url != f"unix://{facts.socket}":
        found = f"its socket is {facts.socket}, and {url} is used"
        yield Check(_WHAT, "WARN", found, f"node.docker: unix://{facts.socket}")
