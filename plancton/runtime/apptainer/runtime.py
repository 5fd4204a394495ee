"""Pilots in Apptainer: there is no daemon to ask, so the node itself is looked at."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from plancton import __version__
from plancton.config.schema import Profile
from plancton.engine.model.node import Limit, Protection
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.spare import Spare
from plancton.engine.ports import (
    ActionError,
    Clock,
    ImageMissingError,
    NotBoundError,
    RuntimeUnavailableError,
)
from plancton.engine.starter import new_pilot_name
from plancton.runtime.apptainer.command import (
    command_line,
    environment,
    refusals,
    user_of,
)
from plancton.runtime.apptainer.images import ImageFiles
from plancton.runtime.apptainer.installation import Installation
from plancton.runtime.apptainer.launch import launch
from plancton.runtime.apptainer.pilot_cgroup import PilotCgroup
from plancton.runtime.apptainer.pilot_folder import PilotFolder, folders_in
from plancton.runtime.cgroup import ParentCgroup, PilotMemory
from plancton.runtime.docker import container_spec
from plancton.runtime.docker.bind_sources import BindSources
from plancton.runtime.docker.disk_meter import Places
from plancton.runtime.docker.pilots import Inspection, NoPilotError, pilot_from, started_pilot
from plancton.runtime.job_features import HINTS_FOLDER, JobFeatures

_LOST = 137
"""Exit code of a pilot whose shim was killed with it."""
_LOG_LINES, _LOG_BYTES = 20, 4096


class ApptainerRuntime:
    """Implements ``ports.Runtime``. A look reads a few small files of each pilot."""

    complaints: tuple[str, ...] = ()
    spares: tuple[Spare, ...] = ()

    def __init__(
        self,
        folder: Path,
        instance: str,
        clock: Clock,
        parent: ParentCgroup,
        images: ImageFiles,
        installation: Installation,
        *,
        oom_score_adj: Callable[[], int] = lambda: 1000,
        features: JobFeatures | None = None,
        node: str = "",
        bind_sources: BindSources | None = None,
    ) -> None:
        """Manage the pilots of *instance*, each in a folder of its own below *folder*."""
        self.data_root = str(images.folder)
        self.folder, self.instance, self.clock, self.parent = folder, instance, clock, parent
        self.images, self.installation = images, installation
        self._oom_score_adj, self._node = oom_score_adj, node
        self._features = features or JobFeatures(None)
        self._memory = PilotMemory(parent)
        self._bind_sources = bind_sources or BindSources()
        self._features_swept = False
        self.ignored: tuple[str, ...] = ()
        self.requests = 0
        """Looks at the node, and starts."""

    @property
    def unenforced(self) -> frozenset[Limit]:
        """Limits that this node does not enforce."""
        return self.installation.unenforced(self.parent)

    def close(self) -> None:
        """End what hangs."""
        self._bind_sources.close()

    def _check(self) -> None:
        """Raise RuntimeUnavailableError where pilots cannot run on this node."""
        why = self.installation.trouble()
        if why:
            raise RuntimeUnavailableError(why)
        if self.parent.name is None:
            self.parent.configure(self.installation.world())

    # --- observe ------------------------------------------------------------------------

    def pilots(self, doubted: frozenset[str] = frozenset()) -> tuple[Pilot, ...]:
        """Return all pilots of this instance, oldest first; see ``ports.Runtime``."""
        del doubted  # what is looked at is the truth itself
        self._check()
        self.requests += 1
        found, ignored, listed = [], [], []
        for folder in folders_in(self.folder):
            task = folder.task()
            try:
                if task is None:
                    self._forget(folder)
                else:
                    found.append(pilot := self._pilot(folder, task))
                    mounts = {"Mounts": task["mounts"], "Names": [folder.name]}
                    listed.append({**mounts, "State": pilot.state})
            except (NoPilotError, KeyError, TypeError, ValueError) as error:
                ignored.append(f"{folder.place} is no pilot of ours: {error}")
        self.ignored = tuple(ignored)
        self._bind_sources.note_pilots(listed)
        if not self._features_swept:
            self._features_swept = True
            self._features.remove_others([pilot.name for pilot in found])
        return tuple(sorted(found, key=lambda pilot: (pilot.created_at, pilot.id)))

    def _forget(self, folder: PilotFolder) -> None:
        """Remove what is left of an earlier boot, or of a start that was cut short."""
        if not folder.has_shim():
            folder.remove()

    def _pilot(self, folder: PilotFolder, task: Mapping[str, Any]) -> Pilot:
        labels: Mapping[str, str] = task["labels"]
        cgroup = PilotCgroup(self.parent, folder.name)
        started, lives = folder.started(), folder.has_shim()
        ending = folder.ending()  # after the shim: it writes, then it goes
        lost = ending is None and not lives
        state = PilotState.RUNNING
        if ending or lost:
            state = PilotState.EXITED if started or ending else PilotState.CREATED
        elif started is None:
            state = PilotState.CREATED
        elif cgroup.frozen:
            state = PilotState.PAUSED
        offset = float(labels[container_spec.CLOCK])
        item = {"Id": folder.name, "Names": [f"/{folder.name}"], "Labels": labels}
        item |= {"ImageID": task["image_id"], "State": state.value}
        ended = state is PilotState.EXITED
        inspection = Inspection(
            ended=ended,
            started=started[1] if started else None,
            finished=ending.finished if ending else self._seen_lost(folder) if ended else None,
            exit_code=ending.code if ending else _LOST if ended else None,
            oom_killed=bool(ending and ending.oom_killed),
            error=ending.error if ending else "its shim was killed" if ended else "",
            status=state.value,
            pid=0,
            places=Places(),
            cpus=cgroup.cpus if folder.was_bound and not ended else (),
            held_to=None if ended else cgroup.held_to,
        )
        return pilot_from(item, state, inspection, offset, self.parent, self._memory)

    def _seen_lost(self, folder: PilotFolder) -> float:
        """End what a pilot's shim left behind, and return about when it was lost."""
        PilotCgroup(self.parent, folder.name).kill()
        with suppress(OSError):
            return folder.place.stat().st_mtime
        return self.clock.wall()

    # --- act ----------------------------------------------------------------------------

    def start(
        self,
        profile: Profile,
        image_id: str = "",
        cpus: tuple[int, ...] = (),
        held_to: float | None = None,
        name: str = "",
    ) -> Pilot:
        """Start one pilot; see ``ports.Runtime``."""
        self._check()
        self.requests += 1
        name = name or new_pilot_name(profile.name)
        for refusal in refusals(profile):
            raise ActionError(f"profile {profile.name}: {refusal}")
        image, id_ = self._image(profile, image_id)
        if cpus and not set(cpus) <= set(self.installation.cpus):
            raise NotBoundError(f"not all of the CPUs {cpus} are to be had")
        folder = PilotFolder(self.folder / name)
        try:
            with self._bind_sources.mounted(name, profile, str(os.getpid())) as bound:
                folder.make(*self._task(folder, bound, image, id_, cpus, held_to))
                if cpus:
                    folder.note_bound()
                launch(folder, self._slice)
        except OSError as error:
            self._undo(folder)
            raise ActionError(f"cannot start: {error}") from error
        except ActionError as error:
            self._undo(folder)
            about_cpus = cpus and "cpuset" in str(error)
            raise NotBoundError(str(error)) if about_cpus else error from None
        return started_pilot(profile, name, name, id_, cpus, self.clock.now())

    def _image(self, profile: Profile, image_id: str) -> tuple[Path, str]:
        if image_id:
            found = self.images.by_id(profile.image, image_id)
            if found:
                return found, image_id
        elif here := self.images.find(profile.image):
            return here[1], here[0]
        raise ImageMissingError(f"no image {profile.image} on the node")

    def _task(
        self,
        folder: PilotFolder,
        profile: Profile,
        image: Path,
        image_id: str,
        cpus: tuple[int, ...],
        held_to: float | None,
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Return what the shim is to do, and the environment in which."""
        wall, name = self.clock.wall(), folder.name
        told = self._features.prepare(
            name,
            profile,
            node=self._node,
            ncpus=len(self.installation.cpus),
            wall=wall,
            instance=self.instance,
        )
        own = {key: value for key, value in told.env.items() if value != HINTS_FOLDER}
        env = environment(profile, own, os.environ)
        env |= {"HOME": str(folder.home), "APPTAINER_CONFIGDIR": str(folder.home)}
        labels = container_spec.labels_for(
            profile,
            name=name,
            instance=self.instance,
            wall=wall,
            boot=self.clock.now(),
            version=__version__,
        )
        cgroup = PilotCgroup(self.parent, name).task(
            profile,
            cpus,
            profile.cpus if held_to is None else held_to,
            low_weight=self.parent.protection is Protection.WEIGHT_ONLY,
        )
        task = {
            **asdict(cgroup),
            "name": name,
            "labels": labels,
            "image_id": image_id,
            "mounts": [_mount(bind) for bind in profile.binds],
            "command": command_line(self.installation.program, profile, str(image), told.binds),
            "user": user_of(profile) if os.geteuid() == 0 else None,
            "cwd": "/",
            "ulimits": [(key, each.soft, each.hard) for key, each in profile.ulimits.items()],
            "oom_score_adj": self._oom_score_adj(),
            "log_size": profile.log_size,
        }
        return task, env

    @property
    def _slice(self) -> str | None:
        return self.parent.name if self.installation.systemd else None

    def _undo(self, folder: PilotFolder) -> None:
        """Leave nothing of a pilot that did not start."""
        cgroup = PilotCgroup(self.parent, folder.name)
        cgroup.kill()
        cgroup.remove()
        self._features.remove(folder.name)
        folder.remove()

    def start_in_spare(
        self,
        profile: Profile,
        image_id: str = "",
        cpus: tuple[int, ...] = (),
        held_to: float | None = None,
    ) -> Pilot | None:
        """Return None: a start takes no longer than a spare would."""
        del profile, image_id, cpus, held_to
        return None

    def prepare(self, profile: Profile, image_id: str = "", name: str = "") -> None:
        """Refuse: there are no spares here."""
        del image_id, name
        raise ActionError(f"profile {profile.name}: this engine makes no spares")

    def discard(self, spare: Spare) -> None:
        """Do nothing: there is none."""

    def starter(self) -> ApptainerRuntime:
        """Return what starts pilots beside this, in another thread."""
        return ApptainerRuntime(
            self.folder,
            self.instance,
            self.clock,
            self.parent,
            self.images,
            self.installation,
            oom_score_adj=self._oom_score_adj,
            features=self._features,
            node=self._node,
            bind_sources=self._bind_sources,
        )

    def bind(self, pilot: Pilot, cpus: tuple[int, ...]) -> None:
        """Change the pilot's cpuset."""
        PilotFolder(self.folder / pilot.id).note_bound()
        self._done(pilot, "bind it", PilotCgroup(self.parent, pilot.id).bind(cpus))

    def hold(self, pilot: Pilot, cores: float) -> None:
        """Change the pilot's CPU quota."""
        self._done(pilot, "change its CPU limit", PilotCgroup(self.parent, pilot.id).hold(cores))

    def freeze(self, pilot: Pilot) -> None:
        """Freeze the pilot's cgroup."""
        self._done(pilot, "freeze it", PilotCgroup(self.parent, pilot.id).freeze())

    def thaw(self, pilot: Pilot) -> None:
        """Thaw the pilot's cgroup."""
        self._done(pilot, "thaw it", PilotCgroup(self.parent, pilot.id).thaw())

    def _done(self, pilot: Pilot, what: str, why_not: str) -> None:
        if why_not and PilotFolder(self.folder / pilot.id).has_shim():
            raise ActionError(f"{pilot.label}: cannot {what}: {why_not}")

    def terminate(self, pilot: Pilot) -> None:
        """Send SIGTERM to the pilot's own process, and thaw it so that it can act on it."""
        self._features.set_shutdown_time(pilot.name, self.clock.wall() + pilot.grace)
        folder = PilotFolder(self.folder / pilot.id)
        started = folder.started()
        # While its shim lives and has not written of its end, the number is that process's.
        if started and folder.has_shim() and folder.ending() is None:
            with suppress(ProcessLookupError):
                os.kill(started[0], signal.SIGTERM)
        PilotCgroup(self.parent, pilot.id).thaw()

    def kill(self, pilot: Pilot) -> None:
        """Kill all processes of the pilot."""
        PilotCgroup(self.parent, pilot.id).kill()

    def remove(self, pilot: Pilot) -> str:
        """Remove what is left of a pilot; returns its last log lines."""
        folder, cgroup = PilotFolder(self.folder / pilot.id), PilotCgroup(self.parent, pilot.id)
        if folder.has_shim() and folder.ending() is None:
            cgroup.kill()
        lines = folder.log(_LOG_BYTES).splitlines(keepends=True)[-_LOG_LINES:]
        cgroup.remove()
        self._features.remove(pilot.name)
        folder.remove()
        text = b"".join(lines).decode("utf-8", "replace")
        return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def _mount(bind: str) -> dict[str, object]:
    """Return a bind as a listing has it: where it leads, and whether the pilot may write there."""
    source, _, options = container_spec.bind_parts(bind)
    return {"Source": source, "RW": "rw" in options}
