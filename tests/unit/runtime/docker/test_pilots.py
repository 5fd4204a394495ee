"""Docker's listings are understood."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound

from plancton.engine.ports import RuntimeUnavailableError
from plancton.engine.rules.quotas import may_use_more
from plancton.engine.rules.reap import START_LIMIT
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.runtime.simulated_node import SimulatedNode
from plancton.service.process.clock import SystemClock

NUMBERS = (spec.TTL, spec.DEADLINE, spec.CPUS, spec.CPU_LIMIT, spec.GRACE, spec.MEMORY, spec.CLOCK)


class Listing:
    """Stands in for Docker's client: one listing, and inspections by ID."""

    count = 0

    def __init__(self, items: list[dict[str, Any]], states: dict[str, dict[str, Any]]) -> None:
        """Answer with these."""
        self.items, self.states = items, states

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        """Return the listing."""
        return self.items

    def inspect_container(self, id_: str) -> dict[str, Any]:
        """Return a state, or say that the container has gone."""
        if id_ not in self.states:
            raise NotFound("gone")
        return {"State": self.states[id_]}


def test_listings_of_half_removed_containers_are_understood(tmp_path: Path) -> None:
    """No names, no labels, unknown states, stamps of zero, gone between two requests."""
    zero = "0001-01-01T00:00:00Z"
    dead = {"Status": "dead", "StartedAt": zero, "FinishedAt": zero, "ExitCode": 255}
    items: list[dict[str, Any]] = [
        {"Id": "a", "Names": None, "State": "dead", "Created": 1, "Labels": None},
        {"Id": "b", "Names": [], "State": "removing", "Created": 2, "Labels": {}},
        {"Id": "c", "Names": ["/plancton-x-aaaaaa"], "State": "of tomorrow", "Created": 3},
        {"Id": "d", "Names": ["/plancton-y-aaaaaa"], "State": "running", "Created": 4},
        {"Id": "e", "State": "running", "Created": 5, "Labels": {spec.CPUS: ""}},
    ]
    listing = Listing(items, {"a": dead, "e": {"Status": "running", "StartedAt": zero}})
    runtime = DockerRuntime("unix:///x", "t", SystemClock(), ParentCgroup("t", tmp_path))
    runtime._client = listing  # type: ignore[assignment]
    pilots = {pilot.id: pilot for pilot in runtime.pilots()}
    assert set(pilots) == {"a", "b", "c", "e"}
    assert [pilots[key].state for key in "abce"] == ["dead", "removing", "removing", "running"]
    assert (pilots["a"].name, pilots["a"].started_at, pilots["a"].lifetime) == ("", None, None)
    assert (pilots["e"].deadline_at, pilots["e"].cpus) == (None, 1.0)


@pytest.mark.parametrize(
    "item", [5, None, [], {}, {"Id": 7}, {"Id": None}, {"State": None}, {"State": ["running"]}]
)
def test_a_listing_of_something_else_is_never_taken_for_no_pilots(
    item: Any, tmp_path: Path
) -> None:
    """Whoever answered, pilots may run: nothing is concluded."""
    whole = {"Id": "a", "Names": ["/plancton-x-aaaaaa"], "State": "running", "Created": 1}
    odd = {**whole, **item} if isinstance(item, dict) and item else item
    runtime = DockerRuntime("unix:///x", "t", SystemClock(), ParentCgroup("t", tmp_path))
    runtime._client = Listing([whole, odd], {"a": {"Status": "running"}})  # type: ignore[assignment]
    runtime.close = lambda: None  # type: ignore[method-assign]  # the listing is no client
    with pytest.raises(RuntimeUnavailableError, match="no answer of Docker"):
        runtime.pilots()


def test_ttl_counts_from_dockers_start_on_the_boot_clock(tmp_path: Path) -> None:
    """The wall clock was stepped by an hour after the pilot was made: its label knows better."""
    clock = SimulatedNode()
    labels = {spec.TTL: "60.000", spec.CLOCK: "1000000.000", spec.DEADLINE: "1001010.000"}
    item = {
        "Id": "a",
        "Names": ["/plancton-x-aaaaaa"],
        "State": "running",
        "Created": 1000950,
        "Labels": labels,
    }
    started = {"Status": "running", "StartedAt": "1970-01-12T15:02:32.250+01:00"}
    runtime = DockerRuntime("unix:///x", "t", clock, ParentCgroup("t", tmp_path))
    runtime._client = Listing([item], {"a": started})  # type: ignore[assignment]
    clock.wall_step = 3600
    (pilot,) = runtime.pilots()
    assert (pilot.created_at, pilot.started_at) == (950.0, 952.25)
    assert pilot.deadline_at == 1012.25


@pytest.mark.parametrize(
    "item",
    [
        *({"Labels": {label: text}} for label in NUMBERS for text in ("inf", "nan", "-1", "1e400")),
        *({"Labels": {label: "x"}} for label in NUMBERS),
        {"Labels": {spec.MEMORY: "9" * 400}},
        {"State": "running", "Details": []},
    ],
)
def test_a_container_that_makes_no_sense_is_left_alone(
    item: dict[str, Any], tmp_path: Path
) -> None:
    """It is no pilot, it is named with the reason, and others are not touched by it."""
    good = {"Id": "g", "Names": ["/plancton-x-aaaaaa"], "State": "running", "Created": 1}
    odd = {"Id": "o", "Names": ["/plancton-x-bbbbbb"], "State": "running", "Created": 2, **item}
    states: dict[str, Any] = {"g": {"Status": "running"}, "o": item.get("Details", {})}
    runtime = DockerRuntime("unix:///x", "t", SystemClock(), ParentCgroup("t", tmp_path))
    runtime._client = Listing([odd, good], states)  # type: ignore[assignment]
    assert [pilot.id for pilot in runtime.pilots()] == ["g"]
    (said,) = runtime.ignored
    assert "carries our label and is left alone: " in said


@pytest.mark.parametrize(("label", "most"), [({}, None), ("none", inf), ("1.5", 1.5), ("", None)])
def test_what_a_pilot_may_use_is_in_its_labels(
    label: str | dict[str, str], most: float | None, tmp_path: Path
) -> None:
    """One of a version without that label is held to its promise for good."""
    labels = {spec.CPU_LIMIT: label} if isinstance(label, str) else label
    item = {"Id": "a", "Names": ["/plancton-x-aaaaaa"], "State": "running", "Labels": labels}
    details: dict[str, Any] = {"a": {"Status": "running"}}
    runtime = DockerRuntime("unix:///x", "t", SystemClock(), ParentCgroup("t", tmp_path))
    runtime._client = Listing([item], details)  # type: ignore[assignment]
    (pilot,) = runtime.pilots()
    assert (pilot.most_cores, pilot.held_to) == (most, None)
    assert may_use_more(pilot) is (most is not None)


@pytest.mark.parametrize(
    "item",
    [
        {"Names": [5]},
        {"Names": "x"},
        {"Created": "yesterday"},
        {"Labels": ["a"]},
        {"Labels": {spec.PROFILE: None}},
        {"ImageID": {"x": 1}},
    ],
)
def test_what_nobody_needs_may_be_anything(item: dict[str, Any], tmp_path: Path) -> None:
    """A pilot is a pilot without it."""
    listed = {"Id": "a", "Names": ["/plancton-x-aaaaaa"], "State": "running", "Created": 1, **item}
    runtime = DockerRuntime("unix:///x", "t", SystemClock(), ParentCgroup("t", tmp_path))
    odd = {"Status": "running", "StartedAt": 5, "ExitCode": "x", "Pid": "y", "Error": []}
    runtime._client = Listing([listed], {"a": odd})  # type: ignore[assignment]
    assert [pilot.id for pilot in runtime.pilots()] == ["a"]
    assert runtime.ignored == ()


def test_a_restart_by_hand_buys_no_time(tmp_path: Path) -> None:
    """Age and time to live go by the first start, which was soon after the creation."""
    clock = SimulatedNode()
    labels = {spec.TTL: "60.000", spec.CLOCK: "1000000.000", spec.DEADLINE: "1001010.000"}
    item = {
        "Id": "a",
        "Names": ["/plancton-x-aaaaaa"],
        "State": "running",
        "Created": 1000950,
        "Labels": labels,
    }
    again = {"Status": "running", "StartedAt": "1970-01-12T14:03:20Z"}  # 50 s after the creation
    runtime = DockerRuntime("unix:///x", "t", clock, ParentCgroup("t", tmp_path))
    runtime._client = Listing([item], {"a": again})  # type: ignore[assignment]
    (pilot,) = runtime.pilots()
    assert (pilot.created_at, pilot.started_at) == (950.0, 950.0 + START_LIMIT)
    assert pilot.deadline_at == 950.0 + START_LIMIT + 60.0


def test_a_pilot_never_ends_before_its_start(tmp_path: Path) -> None:
    """Docker may stamp the start of one that ends at once after its end."""
    item = {"Id": "a", "Names": ["/plancton-x-aaaaaa"], "State": "exited", "Created": 1000950}
    item["Labels"] = {spec.CLOCK: "1000000.000"}
    began, ended = "1970-01-12T14:02:31.250Z", "1970-01-12T14:02:31.000Z"
    short = {"Status": "exited", "StartedAt": began, "FinishedAt": ended, "ExitCode": 3}
    runtime = DockerRuntime("unix:///x", "t", SimulatedNode(), ParentCgroup("t", tmp_path))
    runtime._client = Listing([item], {"a": short})  # type: ignore[assignment]
    (pilot,) = runtime.pilots()
    assert (pilot.started_at, pilot.finished_at) == (951.25, 951.25)


PILOT = "plancton-worker-abc123"


@pytest.mark.parametrize(
    ("names", "made_as", "ours"),
    [
        ([f"/{PILOT}"], PILOT, True),
        (["/other/alias", f"/{PILOT}"], PILOT, True),  # another container was linked to it
        (["/agitated_turing"], PILOT, False),
        (["/plancton-worker-xyz789"], PILOT, False),
        ([f"/{PILOT}"], None, True),  # of a version without that label
        (["/plancton-a-b-abc123"], None, True),
        (["/agitated_turing"], None, False),
        ([], PILOT, True),  # is being removed
        (["/agitated_turing"], "\x1b]52;c;aGk=\x07" * 99, False),
    ],
)
def test_labels_that_came_with_an_image_make_no_pilot(
    names: list[str], made_as: str | None, ours: bool, tmp_path: Path
) -> None:
    """Docker writes a container's labels into the image that is made of it."""
    labels = {} if made_as is None else {spec.NAME: made_as}
    item = {"Id": "a", "Names": names, "State": "running", "Created": 1, "Labels": labels}
    runtime = DockerRuntime("unix:///x", "t", SystemClock(), ParentCgroup("t", tmp_path))
    runtime._client = Listing([item], {"a": {"Status": "running"}})  # type: ignore[assignment]
    assert [pilot.id for pilot in runtime.pilots()] == (["a"] if ours else [])
    assert ["docker commit" in said for said in runtime.ignored] == ([] if ours else [True])
    assert all(said.isprintable() and len(said) < 500 for said in runtime.ignored)
