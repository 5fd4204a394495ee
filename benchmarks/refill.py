"""How soon a pilot that ends has its successor, beside making and starting a container."""

from __future__ import annotations

import itertools
import time
from typing import Any

from benchmarks.ratios import median, ratio_text
from benchmarks.rig import INSTANCE, clear, mine, row, service, wait
from plancton.config.schema import Profile
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker.client import DockerClient, docker_url
from plancton.runtime.docker.creator import SPARE_SUFFIX
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.runtime.docker.timestamps import epoch_of
from plancton.runtime.host import HostSampler
from plancton.service.process.clock import SystemClock

_ROUNDS = 15
_PILOT = {"command": ["sh", "-c", "echo begun; exec sleep 100000"], "init": False, "memory": 10**7}
_KINDS: dict[str, dict[str, Any]] = {
    "no network": {"network": "none"},
    "bridge": {"network": "bridge"},
    "no network, 0.1 cores": {"network": "none", "cpus": 0.1},
}


def refill(client: DockerClient) -> None:
    """Measure from Docker's report of an end to the successor's first word, in turns with a start.

    The start is from the request to make a container to its first word, by the same code.
    """
    for name, kind in {**_KINDS, "network of the host": {"network": "host"}}.items():
        with _Starter({**_PILOT, **kind}) as starter:
            rounds = [starter.parts(client) for _ in range(_ROUNDS)]
        parts = (f"{part} {median(rounds, part):.3f} s" for part in ("start", "remove", "CPU"))
        row(f"create, {name}", f"{median(rounds, 'create'):.3f} s", ", ".join(parts))
    for name, kind in _KINDS.items():
        pilot = {**_PILOT, **kind}
        for spare in (False, True):
            with service(pilot, maximum=1, spare=spare, backoff="1s"), _Starter(pilot) as starter:
                wait(lambda: len(_pilots(client)) == 1)
                time.sleep(12)
                rounds = [
                    {"start": starter.start(client), "refill": _refill(client, spare=spare)}
                    for _ in range(_ROUNDS)
                ]
            clear(client)
            row(
                f"refill, {name}{', with a spare' if spare else ''}",
                f"{median(rounds, 'refill'):.3f} s",
                f"start alone {median(rounds, 'start'):.3f} s: ratio "
                f"{ratio_text(rounds, 'refill', 'start')}",
            )


class _Starter:
    """Starts containers as Plancton does, which no Plancton counts."""

    def __init__(self, pilot: dict[str, Any]) -> None:
        self._profile = Profile.model_validate(pilot)
        self._parent = ParentCgroup(f"{INSTANCE}s")
        self._runtime = DockerRuntime(
            docker_url(), f"{INSTANCE}s", SystemClock(), self._parent, use_spares=lambda: False
        )

    def __enter__(self) -> _Starter:
        self._runtime.check()
        HostSampler(self._parent, lambda: "/").sample(0)  # puts the parent into the idle class
        return self

    def __exit__(self, *_: object) -> None:
        for pilot in self._runtime.pilots():
            self._runtime.remove(pilot)
        self._runtime.close()

    def parts(self, client: DockerClient) -> dict[str, float]:
        """Return the seconds that Docker takes to create, start and remove a container.

        And those of CPU that its own cgroup used for its start.
        """
        runtime, name = self._runtime, f"plancton-{INSTANCE}-parts1"
        times = [time.monotonic()]
        profile = self._profile
        id_ = runtime.creator.create(client, profile, profile, name, "", runtime.launcher.features)
        times.append(time.monotonic())
        client.start(id_)
        times.append(time.monotonic())
        used = self._parent.pilot_seconds(id_)
        client.remove_container(id_, force=True, v=True)
        times.append(time.monotonic())
        took = (after - before for before, after in itertools.pairwise(times))
        return {**dict(zip(("create", "start", "remove"), took, strict=True)), "CPU": used or 0.0}

    def start(self, client: DockerClient) -> float:
        """Return the seconds to a container's first word."""
        before = time.time()
        pilot = self._runtime.start(self._profile)
        took = _first_word(client, pilot.id) - before
        self._runtime.remove(pilot)
        return took


def _refill(client: DockerClient, *, spare: bool) -> float:
    """Kill the only pilot; returns the seconds from its reported end to its successor's word."""
    wait(lambda: len(_pilots(client)) == 1 and len(_spares(client)) == spare)
    time.sleep(0.5)
    ((victim, _),) = _pilots(client).items()
    since = int(time.time()) - 1
    client.kill(victim)
    wait(lambda: _pilots(client).keys() - {victim}, 60)
    (successor,) = _pilots(client).keys() - {victim}
    began = _first_word(client, successor)
    seen = client.events(
        since=since,
        until=int(time.time()) + 1,
        filters={"container": victim, "event": "die"},
        decode=True,
    )
    return float(began - next(event["timeNano"] for event in seen) / 1e9)


def _first_word(client: DockerClient, id_: str) -> float:
    """Return when a container wrote its first line, seconds of the epoch."""
    while not (line := bytes(client.logs(id_, timestamps=True))):
        time.sleep(0.005)
    stamp = epoch_of(line.split()[0].decode())
    if stamp is None:
        raise SystemExit(f"Docker stamps a log with {line!r}")
    return stamp


def _pilots(client: DockerClient) -> dict[str, str]:
    names = {each["Id"]: str(each["Names"]) for each in mine(client)}
    return {id_: name for id_, name in names.items() if SPARE_SUFFIX not in name}


def _spares(client: DockerClient) -> list[str]:
    return [str(each["Names"]) for each in mine(client) if SPARE_SUFFIX in str(each["Names"])]
