"""Other ways to use idle cores, to stand beside Plancton in the same measurement."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import docker.errors

from plancton.engine.model.action import Decision, Due, Kill, Remove, Spawn
from plancton.engine.model.node import Observation
from plancton.engine.model.pilot import PilotState
from plancton.engine.model.policy import Policy
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import State as EngineState
from plancton.runtime.docker.client import DockerClient, docker_url


class Pool:
    """So many containers, each started again when it ends, by a loop or by Docker itself."""

    def __init__(self, command: list[str], labels: dict[str, str], slots: int, **host: Any) -> None:
        """Prepare; *host* are settings of ``create_host_config``."""
        self.command, self.labels, self.slots, self.host = command, labels, slots, host
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._slot, daemon=True) for _ in range(slots)]

    def __enter__(self) -> Pool:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        client = DockerClient(docker_url(), timeout=60)
        key, value = next(iter(self.labels.items()))
        for item in client.containers(all=True, filters={"label": f"{key}={value}"}):
            with suppress(docker.errors.APIError):
                client.remove_container(item["Id"], force=True)
        client.close()
        for thread in self.threads:
            thread.join()

    def _slot(self) -> None:
        client = DockerClient(docker_url(), timeout=600)
        while not self.over.is_set():
            with suppress(docker.errors.APIError):
                limits = client.create_host_config(network_mode="none", **self.host)
                made = client.create_container(
                    "busybox", self.command, host_config=limits, labels=self.labels
                )
                client.start(made["Id"])
                if "restart_policy" in self.host:
                    self.over.wait()
                client.wait(made["Id"])
                client.remove_container(made["Id"], force=True)
        client.close()


@dataclass
class Rule060:
    """The rule of Plancton 0.6.0, as it was published, for the simulator.

    A look each *main_sleep*. Above a busy share of ``100 cpus n / ncpu + 10`` per cent for longer
    than *grace_kill* the youngest container is killed. New ones start when the last kill is
    *grace_spawn* ago: as many as 95 % of the idle share holds, *docks_per_loop* at most.
    """

    main_sleep: float = 30.0
    grace_kill: float = 120.0
    grace_spawn: float = 60.0
    docks_per_loop: int = 4
    killed: int = 0
    lost: float = 0.0
    _next: float = 0.0
    _last: tuple[float, float] | None = None
    _over_since: float | None = None
    _killed_at: float = float("-inf")

    def __call__(
        self, seen: Observation, policy: Policy, state: EngineState, now: float
    ) -> Decision:
        """Decide as 0.6.0 did."""
        if now < self._next:
            return Decision((), (), state, due=Due(self._next, _LOOK))
        self._next = now + self.main_sleep
        host, last = seen.host, self._last
        self._last = (host.at, host.busy_seconds)
        actions: list[Kill | Remove | Spawn] = [
            Remove(p, Reason.of(Code.EXITED, exit_code=0, lifetime_s=0.0))
            for p in seen.pilots
            if p.state is PilotState.EXITED
        ]
        if last is None or host.at <= last[0]:
            return Decision(tuple(actions), (), state, due=Due(self._next, _LOOK))
        busy = 100 * (host.busy_seconds - last[1]) / (host.at - last[0]) / host.ncpus
        live = sorted((p for p in seen.pilots if p.live), key=lambda p: p.created_at)
        cpus = policy.profiles[0].cpus
        limit = 100 * cpus * min(len(live), policy.maximum) / host.ncpus + 10
        if live and busy > limit:
            self._over_since = now if self._over_since is None else self._over_since
            if now - self._over_since > self.grace_kill:
                actions.append(Kill(live[-1], Reason.of(Code.PRESSURE, **_NUMBERS)))
                self.killed, self.lost = self.killed + 1, self.lost + live[-1].lost(now)
                self._killed_at = now
        else:
            self._over_since = None
        if now - self._killed_at > self.grace_spawn:
            fitting = int((100 - busy) * 0.95 * host.ncpus / (100 * cpus))
            count = min(policy.maximum - len(live), fitting, self.docks_per_loop)
            reason = Reason.of(Code.ROOM, room=float(fitting), cpus=cpus)
            actions += [Spawn(policy.profiles[0], reason)] * max(0, count)
        return Decision(tuple(actions), (), state, due=Due(self._next, _LOOK))


_LOOK = Reason.of(Code.NEXT_START)
_NUMBERS = {"excess": 0.0, "since_s": 0.0, "foreground": 0.0, "ncpus": 0, "committed": 0.0}
