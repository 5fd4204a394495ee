"""Pilots on a real Docker Engine, by its low-level API."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import docker.errors

from plancton import __version__
from plancton.config.schema import Profile
from plancton.engine.model import Pilot, PilotState, Protection
from plancton.engine.ports import (
    ActionError,
    Clock,
    ImageMissingError,
    RuntimeUnavailableError,
)
from plancton.runtime import spec
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.connection import Client, api_text, talking
from plancton.runtime.features import Features, checkpoint_of
from plancton.runtime.stamps import epoch_of

_STATES = {state.value: state for state in PilotState} | {"restarting": PilotState.RUNNING}
_ENDED = (PilotState.EXITED, PilotState.DEAD)
_ALPHABET = string.ascii_lowercase + string.digits
_LOG_LINES, _LOG_BYTES = 20, 4096
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Details:
    """What only an inspection tells; it no longer changes in the phase it was taken in."""

    ended: bool
    started: float | None
    finished: float | None
    exit_code: int | None
    oom_killed: bool
    error: str
    status: str
    pid: int


class DockerRuntime:
    """Implements ``ports.Runtime``. Steady state costs one request a look, however many pilots.

    The connection is made when first needed and made anew after any failure, so that an engine
    of another version may come back.
    """

    def __init__(
        self,
        url: str,
        instance: str,
        clock: Clock,
        parent: ParentCgroup,
        *,
        oom_score_adj: Callable[[], int] = lambda: 1000,
        features: Features | None = None,
        node: str = "",
        timeout: float = 30.0,
    ) -> None:
        """Manage the containers of *instance* on the engine at *url*."""
        self.url, self.instance, self.clock, self.parent = url, instance, clock, parent
        self.oom_score_adj, self.timeout = oom_score_adj, timeout
        self.features, self.node = features or Features(None), node
        self.data_root = "/"
        self.info: Mapping[str, Any] = {}
        self._client: Client | None = None
        self._before = 0
        self._swept = False
        self._known: dict[str, _Details] = {}

    @property
    def requests(self) -> int:
        """Requests made so far, over all connections."""
        return self._before + (self._client.count if self._client else 0)

    def close(self) -> None:
        """Drop the connection."""
        if self._client is not None:
            self._before += self._client.count
            self._client.close()
            self._client = None

    @contextmanager
    def _engine(self) -> Iterator[Client]:
        try:
            with talking(self.url):
                if self._client is None:
                    self._client = Client(self.url, timeout=self.timeout)
                    self.info = self._client.info()
                    self.data_root = str(self.info.get("DockerRootDir") or "/")
                    self.parent.configure(self.info)
                yield self._client
        except RuntimeUnavailableError:
            self.close()
            raise

    def check(self) -> Mapping[str, Any]:
        """Connect and return the engine's ``/info``."""
        with self._engine():
            return self.info

    # --- observe ------------------------------------------------------------------------

    def pilots(self, doubted: frozenset[str] = frozenset()) -> tuple[Pilot, ...]:
        """List all containers of this instance, oldest first; see ``ports.Runtime``."""
        with self._engine() as client:
            try:
                listed = client.containers(
                    all=True, filters={"label": f"{spec.INSTANCE}={self.instance}"}
                )
                found = [self._pilot(client, item, item["Id"] in doubted) for item in listed]
            except docker.errors.APIError as error:
                raise RuntimeUnavailableError(
                    f"Docker at {self.url} cannot list containers: {api_text(error)}"
                ) from error
        pilots = [pilot for pilot in found if pilot is not None]
        present = {pilot.id for pilot in pilots}
        self._known = {id_: details for id_, details in self._known.items() if id_ in present}
        if not self._swept:
            self._swept = True
            self.features.sweep({pilot.name for pilot in pilots})
        return tuple(sorted(pilots, key=lambda pilot: (pilot.created_at, pilot.id)))

    def _pilot(self, client: Client, item: Mapping[str, Any], doubted: bool) -> Pilot | None:
        labels = item.get("Labels") or {}
        state = _STATES.get(str(item.get("State", "")).lower(), PilotState.REMOVING)
        details = None
        if state not in (PilotState.CREATED, PilotState.REMOVING):
            # Docker reports an end before its listing shows it; an inspection waits for it.
            details = self._details(client, item["Id"], ended=doubted or state in _ENDED)
            if details is None:
                return None
            if doubted and details.status in _STATES:
                state = _STATES[details.status]
        offset = _number(labels.get(spec.CLOCK), self.clock.wall() - self.clock.now())
        ttl = _number(labels.get(spec.TTL))
        promised = _number(labels.get(spec.DEADLINE))
        created = float(item.get("Created") or self.clock.wall())
        if ttl is not None and promised is not None:
            created = promised - ttl  # as Created, but in milliseconds
        started = details.started if details else None
        deadline = promised if ttl is None else (started or created) + ttl
        name = next(iter(item.get("Names") or ()), "").lstrip("/")
        return Pilot(
            id=item["Id"],
            name=name,
            profile=labels.get(spec.PROFILE, ""),
            state=state,
            cpus=_number(labels.get(spec.CPUS), 1.0),
            created_at=created - offset,
            started_at=_shift(started, offset),
            deadline_at=_shift(deadline, offset),
            finished_at=_shift(details.finished if details else None, offset),
            exit_code=details.exit_code if details else None,
            oom_killed=details.oom_killed if details else False,
            error=details.error if details else "",
            cpu_seconds=self.parent.pilot_seconds(item["Id"]),
            grace=_number(labels.get(spec.GRACE), 10.0),
            memory=int(_number(labels.get(spec.MEMORY), 0)),
            image_id=str(item.get("ImageID") or ""),
            checkpoint_at=_shift(_checkpoint(details, state), offset),
            memory_used=self.parent.pilot_memory(item["Id"]),
        )

    def _details(self, client: Client, id_: str, *, ended: bool) -> _Details | None:
        """Inspect a container once in each phase; None if it has gone meanwhile."""
        known = self._known.get(id_)
        if known is not None and known.ended == ended:
            return known
        try:
            state = client.inspect_container(id_).get("State") or {}
        except docker.errors.NotFound:
            return None
        status = str(state.get("Status") or "")
        ended = _STATES.get(status) in _ENDED
        self._known[id_] = details = _Details(
            ended=ended,
            started=epoch_of(state.get("StartedAt")),
            finished=epoch_of(state.get("FinishedAt")) if ended else None,
            exit_code=state.get("ExitCode") if ended else None,
            oom_killed=bool(state.get("OOMKilled")) and ended,
            error=str(state.get("Error") or ""),
            status=status,
            pid=int(state.get("Pid") or 0),
        )
        return details

    # --- act ----------------------------------------------------------------------------

    def start(self, profile: Profile, image_id: str = "") -> str:
        """Create and start one pilot; see ``ports.Runtime``."""
        labels = spec.labels_for(
            profile,
            instance=self.instance,
            wall=self.clock.wall(),
            boot=self.clock.now(),
            version=__version__,
        )
        name = f"plancton-{profile.name}-{''.join(random.choices(_ALPHABET, k=6))}"  # noqa: S311 (a name)
        with self._engine() as client:
            told = self.features.prepare(
                name,
                profile,
                node=self.node,
                ncpus=int(self.info.get("NCPU") or 1),
                wall=self.clock.wall(),
                instance=self.instance,
            )
            body = spec.container_spec(
                profile,
                labels=labels,
                parent=self.parent.name,
                low_weight=self.parent.protection is Protection.WEIGHT_ONLY,
                oom_score_adj=self.oom_score_adj(),
                image=image_id,
                env=told.env,
                binds=told.binds,
            )
            try:
                made = client.create_container_from_config(body, name)  # type: ignore[no-untyped-call]
            except docker.errors.ImageNotFound as error:
                self.features.forget(name)
                raise ImageMissingError(f"no image {profile.image} on the node") from error
            except docker.errors.APIError as error:
                self.features.forget(name)
                raise ActionError(f"cannot create: {api_text(error)}") from error
            id_ = str(made["Id"])
            try:
                client.start(id_)
            except docker.errors.APIError as error:
                self._discard(client, id_)
                self.features.forget(name)
                raise ActionError(f"cannot start: {api_text(error)}") from error
        return name

    def _discard(self, client: Client, id_: str) -> None:
        """Remove a container that did not start; if that fails, it is reaped as an orphan."""
        _answered(lambda: client.remove_container(id_, v=True, force=True), fine=(400, 500))

    def freeze(self, pilot: Pilot) -> None:
        """Pause the container."""
        with self._engine() as client:
            _answered(lambda: client.pause(pilot.id), said="already paused")

    def thaw(self, pilot: Pilot) -> None:
        """Unpause the container."""
        with self._engine() as client:
            _answered(lambda: client.unpause(pilot.id), said="not paused")

    def terminate(self, pilot: Pilot) -> None:
        """Send SIGTERM, and thaw a paused pilot so that it can act on it."""
        self.features.shutting_down(pilot.name, self.clock.wall() + pilot.grace)
        with self._engine() as client:
            _answered(lambda: client.kill(pilot.id, "SIGTERM"))
            if pilot.state is PilotState.PAUSED:
                _answered(lambda: client.unpause(pilot.id), fine=(500,))

    def kill(self, pilot: Pilot) -> None:
        """Send SIGKILL."""
        with self._engine() as client:
            _answered(lambda: client.kill(pilot.id, "SIGKILL"))

    def remove(self, pilot: Pilot) -> str:
        """Remove a container and its anonymous volumes; returns its last log lines."""
        with self._engine() as client:
            raw = _answered(lambda: client.logs(pilot.id, tail=_LOG_LINES), fine=(400, 500, 501))
            _answered(lambda: client.remove_container(pilot.id, v=True, force=True))
        self.features.forget(pilot.name)
        return _printable(raw or b"")


def _answered(call: Callable[[], _T], fine: tuple[int, ...] = (), said: str = "") -> _T | None:
    """Do a call whose effect may be there already: gone (404), not running (409) are fine.

    So are the codes *fine*, and an answer of one line that contains what is *said*.
    """
    try:
        return call()
    except docker.errors.APIError as error:
        if error.status_code in (404, 409, *fine) or (said and said in api_text(error)):
            return None
        raise ActionError(api_text(error)) from error


def _checkpoint(details: _Details | None, state: PilotState) -> float | None:
    runs = details is not None and details.pid > 0 and state is PilotState.RUNNING
    return checkpoint_of(details.pid) if details and runs else None


def _printable(raw: bytes) -> str:
    text = raw[-_LOG_BYTES:].decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def _shift(epoch: float | None, offset: float) -> float | None:
    return None if epoch is None else epoch - offset


def _number(text: str | None, default: Any = None) -> Any:
    try:
        return float(text) if text else default
    except ValueError:
        return default
