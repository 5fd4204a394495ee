"""Images as files and folders of the node, and those that are pulled from registries."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from plancton.engine.model.pulled_image import RemovedImage
from plancton.engine.ports import Clock
from plancton.runtime.apptainer.command import is_local, source_of
from plancton.runtime.apptainer.launch import run_outside
from plancton.runtime.file_modes import PUBLIC_FOLDER, make_folder
from plancton.runtime.image_puller import ImagePuller, ImageStore, PullError

_PULL_TIMEOUT = 1800.0


class ImageFiles:
    """Where an instance's images lie: those pulled are files in a folder, called by their ID."""

    def __init__(self, folder: Path, program: Callable[[], str]) -> None:
        """Keep pulled ones in *folder*; *program* returns Apptainer's path."""
        self.folder, self._program = folder.absolute(), program

    def find(self, reference: str) -> tuple[str, Path] | None:
        """Return the ID and the path of an image that is on the node; None: it is not.

        The ID of a file or a folder changes when another one is put in its place.
        """
        place = Path(reference) if is_local(reference) else self._link(reference)
        try:
            real = place.resolve(strict=True)
            found = real.stat()
        except (OSError, RuntimeError):
            return None
        if not is_local(reference):
            return f"sha256:{real.stem}", real
        what = f"{real}:{found.st_ino}:{found.st_mtime_ns}:{found.st_size}"
        return f"sha256:{hashlib.sha256(what.encode()).hexdigest()}", real

    def by_id(self, reference: str, id_: str) -> Path | None:
        """Return the path of the very image *id_* of a reference; None: it has gone."""
        found = self.find(reference)
        if found and found[0] == id_:
            return found[1]
        kept = self.folder / f"{id_.removeprefix('sha256:')}.sif"
        return kept if not is_local(reference) and kept.exists() else None

    def id_of(self, reference: str) -> str | None:
        """Return the ID of an image that is on the node; None: it is not."""
        found = self.find(reference)
        return found[0] if found else None

    def note(self, id_: str | None) -> str:
        """Return nothing: Apptainer itself refuses images of other machines."""
        del id_
        return ""

    def pull(self, reference: str, local_id: str | None) -> str:
        """Pull an image from its registry, beside the one that is there. PullError."""
        if is_local(reference):
            if local_id is None:
                raise PullError(f"there is no {reference} on this node")
            return ""
        make_folder(self.folder, PUBLIC_FOLDER)
        new = self.folder / f"pulling.{os.getpid()}.sif"
        command = [self._program(), "--silent", "pull", "--force", str(new), source_of(reference)]
        cache = {"APPTAINER_CACHEDIR": str(self.folder / "cache")}
        try:
            done = run_outside(command, cache, _PULL_TIMEOUT)
            if done.returncode:
                raise PullError(_last_line(done.stderr) or f"exit code {done.returncode}")
            new.chmod(0o644)
            kept = self.folder / f"{_digest(new)}.sif"
            new.replace(kept)
            self._point(reference, kept)
        except (OSError, subprocess.SubprocessError) as error:
            raise PullError(str(error)) from error
        finally:
            new.unlink(missing_ok=True)
        return ""

    def remove_superseded(
        self, references: Iterable[str], used: frozenset[str], keep: int
    ) -> tuple[RemovedImage, ...]:
        """Remove pulled images that no reference means and that are not *used*, by their IDs.

        The newest *keep* of them stay.
        """
        links = {self._link(each).name: each for each in references}
        current, removed = {self.id_of(each) for each in links.values()}, []
        for link in self.folder.glob("*.link"):
            if link.name not in links:
                link.unlink(missing_ok=True)
        files = [each for each in self.folder.glob("*.sif") if not each.name.startswith("pulling.")]
        old = [each for each in files if f"sha256:{each.stem}" not in current | used]
        for each in sorted(old, key=lambda file: file.stat().st_mtime, reverse=True)[keep:]:
            size = each.stat().st_size
            with suppress(OSError):
                each.unlink()
                removed.append(RemovedImage(f"sha256:{each.stem}", "", size))
        return tuple(removed)

    def _link(self, reference: str) -> Path:
        return self.folder / f"{hashlib.sha256(reference.encode()).hexdigest()[:32]}.link"

    def _point(self, reference: str, kept: Path) -> None:
        link, new = self._link(reference), self.folder / f"pulling.{os.getpid()}.link"
        new.unlink(missing_ok=True)
        new.symlink_to(kept.name)
        new.replace(link)


class ApptainerImages(ImagePuller):
    """Implements ``ports.Images`` on files of the node."""

    def __init__(self, files: ImageFiles, clock: Clock) -> None:
        """Keep *files* fresh."""
        super().__init__(clock)
        self._files = files

    def store(self) -> AbstractContextManager[ImageStore]:
        """Return the files."""
        return nullcontext(self._files)

    def remove_superseded(
        self, wanted: Mapping[str, str | None], keep: int, pinned: frozenset[str]
    ) -> tuple[RemovedImage, ...]:
        """Remove pulled files that nobody needs."""
        return self._files.remove_superseded(wanted, pinned, keep)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
