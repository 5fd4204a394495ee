"""The group ``protect``: signals and what they do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    field_validator,
)

from plancton.config.calendar import Lending
from plancton.config.expressions import Expression
from plancton.config.schema.objective import Objective
from plancton.config.schema.types import (
    Duration,
    Group,
    Level,
    Percent,
    Rate,
    Share,
    Step,
    none_if_off,
    off_if_false,
)


class Memory(Group):
    """Available memory of the node."""

    stop_below: Level = "10%"
    """No pilot is started that would leave less than this: a share of all, a size, or off."""
    evict_below: Level = "4%"
    """Pilots are ended, one at a time, while less than this is available."""
    reclaim_below: Level = "50%"
    """Frozen pilots' memory is moved to swap while less than this is available; off: they keep it.
    It needs swap, for example zram."""
    after: Annotated[Duration, Field(ge=0)] = 5.0
    """How long less than evict_below must be available before each of them is ended."""
    recover: Annotated[Duration, Field(ge=0)] = 30.0
    """How long it must be over before pilots are started again."""


class Disk(Group):
    """Free space and free inodes on the file system of Docker's data root."""

    stop_below: Level = "2GB"
    """No pilot is started with less space than this: a share of all, a size, or off."""
    evict_below: Level = "1GB"
    """Pilots are ended, one at a time, while less space than this is free: first the one that
    has written most. Below a quarter of it they are killed."""
    stop_below_inodes: Share = "5%"
    """No pilot is started with a smaller share of inodes than this; or off."""
    evict_below_inodes: Share = "2%"
    """As evict_below, for inodes: first the pilot that has made most files."""
    after: Annotated[Duration, Field(ge=0)] = 5.0
    """How long that must last before each of them is ended."""
    recover: Annotated[Duration, Field(ge=0)] = 30.0
    """How long it must be over before pilots are started again."""


class Stall(Group):
    """Per cent of the last 10 s in which some task waited for a resource. Off unless set."""

    stop_above: Percent = None
    """No pilot is started above this."""
    freeze_above: Percent = None
    """One pilot is frozen above this, and one more each time it lasts anew."""
    evict_above: Percent = None
    """One pilot is ended above this, and one more each time it lasts anew."""
    after: Annotated[Duration, Field(ge=0)] = 20.0
    """How long it must last before a pilot is frozen or ended."""
    recover: Annotated[Duration, Field(ge=0)] = 60.0
    """How long it must be over before pilots are thawed or started."""


class Stalls(Group):
    """Pressure stall information, where the kernel has it. On cgroup v1 cpu includes pilots."""

    cpu: Stall = Stall()
    """Waiting for a core. On v1 use it only without the idle class, in which pilots wait."""
    memory: Stall = Stall()
    """Waiting for memory. A pilot at its own limit counts too."""
    io: Stall = Stall()
    """Waiting for disks."""


class Load(Group):
    """The load average over a minute, pilots included. Off unless set."""

    stop_above: Annotated[Expression | None, BeforeValidator(none_if_off)] = None
    """No pilot is started above this: a number or an expression, for example 2 * ncpus."""
    recover: Annotated[Duration, Field(ge=0)] = 60.0
    """How long it must be over before pilots are started again."""


class User(Group):
    """Somebody who sits at the machine."""

    presence: Annotated[Literal["off", "logged-in", "active"], BeforeValidator(off_if_false)] = (
        "off"
    )
    """Who counts: anybody logged in, or whoever touched a terminal within idle_after."""
    idle_after: Annotated[Duration, Field(gt=0)] = 900.0
    """How long after the last key stroke a user still counts as active."""
    step: Step = "freeze"
    """What is done while somebody is there: stop starting pilots, freeze them all, or end them."""
    recover: Annotated[Duration, Field(ge=0)] = 60.0
    """How long nobody must be there before pilots go on."""


class Battery(Group):
    """A machine that runs on its battery."""

    step: Step = "stop"
    """What is done meanwhile: stop starting pilots, freeze them all, end them, or off."""
    recover: Annotated[Duration, Field(ge=0)] = 60.0
    """How long it must be back on the mains before pilots go on."""


class Calendar(Group):
    """When the machine is lent."""

    lend: Lending = Lending()
    """Times of the week, by the machine's clock: "18:00-08:00", "Sat,Sun", "Mon-Fri 19:00-07:00".
    Empty: always."""
    step: Step = "stop"
    """What is done outside of them: stop starting pilots, freeze them all, or end them."""


class Network(Group):
    """The pilots' share of the network. Off unless set; it takes CAP_NET_ADMIN, which root has."""

    total: Rate = None
    """Most that all pilots together send, and as much that they receive: 200Mbit, or off."""
    each: Rate = None
    """The same of each pilot."""
    mark: bool | None = None
    """Mark packets that pilots send as lower effort (RFC 8622), so that queues and routers that
    know it let the owner's go first. Empty: as soon as one of the limits is set."""

    @property
    def marks(self) -> bool:
        """Whether packets are to be marked."""
        limited = self.total is not None or self.each is not None
        return limited if self.mark is None else self.mark


class Protect(Group):
    """When pilots give way to the foreground. Each signal stops new pilots, freezes or ends."""

    freeze: bool = True
    """Freeze pilots before they are ended; false: for pilots that cannot bear it."""
    freeze_after: Annotated[Duration, Field(ge=0)] = 120.0
    """How long the CPU must be overcommitted before the youngest pilots are frozen. In the idle
    class: how long pilots must be starved."""
    freeze_after_unprotected: Annotated[Duration, Field(ge=0)] = 1.0
    """The same where the idle class does not protect the foreground meanwhile."""
    thaw_after: Annotated[Duration, Field(ge=0)] = 2.0
    """How long there must be room again before frozen pilots go on, the oldest first."""
    evict_after: Annotated[Duration, Field(ge=0)] = 600.0
    """How long a pilot stays frozen before it is ended."""
    hold_after_eviction: Annotated[Duration, Field(ge=0)] = 60.0
    """How long nothing is started after an eviction."""
    starved: Annotated[float, Field(ge=0, le=0.2)] = 0.1
    """In the idle class pilots cost the foreground nothing by running, so they run on, however
    little is left to them. Those that get less than this part of their cores hardly get on: they
    are starved. 0: none ever is."""
    evict_room: Annotated[float, Field(ge=0.71, le=10)] = 0.75
    """Without the idle class, overcommitted means: the room is below minus this part of the
    youngest pilot's cores.
    With min_room it spans more than one pilot, so starting and evicting never take turns."""
    latency: Annotated[Literal["off", "balanced", "strict"], BeforeValidator(off_if_false)] = (
        "balanced"
    )
    """How the owner's tail latency is kept. balanced: each pilot is bound to cores of its own
    while together they cover all, and one is started where a core has none, as long as each gets
    15 % of its cores. strict: as long as each gets 5 %, and none is frozen for the CPU.
    off: pilots roam, and start only where there is room."""
    victim: Literal["youngest", "least-lost"] = "youngest"
    """Who goes first: the youngest pilot, or the one whose work since its start or its last
    checkpoint is least. One that has checkpointed within the last minute comes before both."""
    memory: Memory = Memory()
    disk: Disk = Disk()
    stall: Stalls = Stalls()
    load: Load = Load()
    user: User = User()
    battery: Battery = Battery()
    calendar: Calendar = Calendar()
    network: Network = Network()
    slo: Annotated[tuple[Objective, ...], Field(max_length=16)] = ()
    """The owner's own objectives."""
    oom_score_adj: Annotated[int, Field(ge=-1000, le=1000)] = 1000
    """Pilots' place in the queue of the host's out-of-memory killer; 1000 is first."""

    @field_validator("slo")
    @classmethod
    def _check_names(cls, objectives: tuple[Objective, ...]) -> tuple[Objective, ...]:
        names = [each.name for each in objectives]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"must not have two objectives named {twice}")
        return objectives
