"""Software as one squashfs file, and an image of a pilot that can mount it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

WORDS = "hello from the software repository"


def run(*command: str) -> str:
    """Run a command and return what it prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def pack_software(content: Path, file: Path) -> None:
    """Make *file* of the folder *content*, which is made too: one file with some words."""
    content.mkdir()
    (content / "hello").write_text(WORDS)
    run("mksquashfs", str(content), str(file), "-quiet", "-no-progress")


def pack_image(root: Path, file: Path) -> Path:
    """Return an archive of busybox, squashfuse, setpriv, their libraries, and the software."""
    for folder in ("bin", "mnt", "tmp", "dev", "lib64"):
        (root / folder).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for applet in ("sh", "sleep", "cat", "ls", "stat", "touch"):
        (root / "bin" / applet).symlink_to("busybox")
    shutil.copy(file, root / "software.squashfs")
    for program in ("squashfuse", "setpriv"):
        path = shutil.which(program) or ""
        shutil.copy(path, root / "bin" / program)
        for word in run("ldd", path).split():
            if word.startswith("/"):
                target = root / word.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(word, target)
    archive = root.with_suffix(".tar")
    run("tar", "-C", str(root), "-cf", str(archive), ".")
    return archive
