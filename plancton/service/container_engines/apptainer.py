"""Apptainer: no daemon, and so no connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from plancton.config.schema import Config
from plancton.engine.ports import ActionError, RuntimeUnavailableError
from plancton.runtime.apptainer.ends import EndListener
from plancton.runtime.apptainer.images import ApptainerImages, ImageFiles
from plancton.runtime.apptainer.installation import Installation
from plancton.runtime.apptainer.launch import pilots_parent
from plancton.runtime.apptainer.output import PilotOutput
from plancton.runtime.apptainer.pilot_folder import PilotFolder, folders_in
from plancton.runtime.apptainer.runtime import ApptainerRuntime
from plancton.runtime.cgroup import ParentCgroup
from plancton.service.container_engines.port import Helper, RuntimeParts
from plancton.service.process.clock import SystemClock
from plancton.service.process.paths import Paths

SCHEME = "apptainer:"


class ApptainerEngine:
    """Implements ``ContainerEngine``; the pilots of each instance have a folder."""

    def __init__(self, url: str, images: Path) -> None:
        """Keep pilots below the folder that *url* names, and what is pulled below *images*."""
        self.url = url
        self._folder, self._images = Path(url.removeprefix(SCHEME)), images
        self._installation = Installation()

    def parent(self, instance: str) -> ParentCgroup:
        """Return the parent of an instance's pilots."""
        return pilots_parent(instance)

    def learn(self, parent: ParentCgroup) -> str:
        """Look at this node."""
        why = self._installation.trouble()
        if why:
            raise RuntimeUnavailableError(why)
        parent.configure(self._installation.world())
        return str(self._images)

    def runtime(self, parts: RuntimeParts) -> ApptainerRuntime:
        """Return an instance's pilots."""
        return ApptainerRuntime(
            self._folder / parts.instance,
            parts.instance,
            parts.clock,
            parts.parent,
            self._files(parts.instance),
            self._installation,
            oom_score_adj=lambda: parts.config().protect.oom_score_adj,
            features=parts.features,
            node=parts.node,
        )

    def images(self, instance: str, paths: Paths, config: Config) -> ApptainerImages:
        """Return the files that are images."""
        del paths, config
        return ApptainerImages(self._files(instance), SystemClock())

    def _files(self, instance: str) -> ImageFiles:
        return ImageFiles(self._images / instance, lambda: self._installation.program)

    def helpers(self, instance: str, wake: Callable[[str], None]) -> Mapping[str, Helper]:
        """Return what hears of ends."""
        return {"events": EndListener(self._folder / instance, wake)}

    def output(self, id_: str, *, tail: int, follow: bool) -> Iterator[bytes]:
        """Yield a pilot's log."""
        folder = next((each for each in self._pilots() if each.name == id_), None)
        if folder is None:
            raise ActionError(f"{id_} has gone, and its log with it")
        return PilotOutput(folder, tail=tail, follow=follow)

    def running_pilots(self) -> Mapping[str, int]:
        """Return how many pilots of each instance run."""
        return Counter(each.place.parent.name for each in self._pilots() if each.has_shim())

    def _pilots(self) -> Iterator[PilotFolder]:
        for instance in folders_in(self._folder):
            yield from folders_in(instance.place)
