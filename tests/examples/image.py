"""An image of the Plancton under test, made in seconds and without a registry."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import plancton

ROOT = Path(__file__).parents[2]
_PYTHON = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
_STDLIB = Path(sysconfig.get_path("stdlib"))
_HOME = "/opt/plancton"
_NOT_NEEDED = re.compile(
    r"/(test|tests|idlelib|tkinter|ensurepip|lib2to3|__pycache__|(site|dist)-packages|config-[^/]*)$"
)
_START = f"""#!{_PYTHON}
import sys
sys.path.insert(0, "{_HOME}/lib")
from plancton.cli.app import main
main()
"""


def archive(path: Path) -> None:
    """Write the image's files to *path*: this interpreter, and Plancton with what it needs."""
    with tarfile.open(path, "w") as tar:
        tar.add(_PYTHON)
        tar.add(_STDLIB, filter=_needed)
        tar.add(Path(plancton.__file__).parent, f"{_HOME}/lib/plancton", filter=_needed)
        binaries = [_PYTHON, *(_STDLIB / "lib-dynload").glob("*.so")]
        for file, name in _packages():
            tar.add(file, f"{_HOME}/lib/{name}")
            binaries += [file] if file.suffix == ".so" else []
        for library in _libraries(binaries):
            tar.add(library.resolve(), str(library))
        start = tarfile.TarInfo(f"{_HOME}/bin/plancton")
        start.size, start.mode = len(_START), 0o755
        tar.addfile(start, io.BytesIO(_START.encode()))
        temporary = tarfile.TarInfo("tmp")
        temporary.type, temporary.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(temporary)
        run = tarfile.TarInfo("var/run")
        run.type, run.linkname = tarfile.SYMTYPE, "/run"
        tar.addfile(run)


def load(path: Path, tag: str, docker: str) -> None:
    """Import *path* into the engine at *docker*, with the words of contrib/Dockerfile."""
    wanted = ("ENV ", "HEALTHCHECK ", "ENTRYPOINT ", "CMD ")
    lines = (ROOT / "contrib/Dockerfile").read_text().splitlines()
    changes = ["ENV PATH=/usr/bin:/bin", *(line for line in lines if line.startswith(wanted))]
    assert len(changes) == 1 + len(wanted)
    words = [word for change in changes for word in ("-c", change)]
    command = ["docker", "-H", docker, "import", *words, str(path), tag]
    subprocess.run(command, check=True, capture_output=True)


def _needed(item: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if _NOT_NEEDED.search(f"/{item.name}") else item


def _packages() -> Iterator[tuple[Path, str]]:
    """Yield the files of all packages that Plancton needs, and their names below their root."""
    open_, done = ["plancton"], set[str]()
    while open_:
        name = canonicalize_name(open_.pop())
        if name in done:
            continue
        done.add(name)
        found = distribution(name)
        for each in found.files or ():
            file = Path(str(each.locate()))
            outside = {"..", "__pycache__"}.intersection(each.parts)
            if name != "plancton" and not outside and file.exists():
                yield file, str(each)
        needs = map(Requirement, found.requires or ())
        open_ += [r.name for r in needs if r.marker is None or r.marker.evaluate({"extra": ""})]


def _libraries(binaries: Iterable[Path]) -> set[Path]:
    """Return the system's libraries that *binaries* need."""
    command = ["ldd", *map(str, binaries)]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.findall(r"(?:=> |^\s)(/\S+) \(0x", told, re.MULTILINE)
    return {Path(each) for each in found if not each.startswith(sys.prefix)}
