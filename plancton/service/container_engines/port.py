"""What runs pilots on a node, with all that serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from plancton.config.schema import Config
from plancton.engine.ports import Clock, Images, Runtime, StartingRuntime
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.job_features import JobFeatures
from plancton.runtime.network.guard import NetworkGuard
from plancton.service.process.paths import Paths


class Helper(Protocol):
    """Works on a thread of its own."""

    def run(self) -> None:
        """Work until ``stop``."""

    def stop(self) -> None:
        """End ``run``."""


class ImageHelper(Images, Helper, Protocol):
    """Keeps images fresh on a thread of its own."""

    on_change: Callable[[], None]
    """Called after each change of the status."""


class NodeRuntime(Runtime, Protocol):
    """Pilots on this node."""

    @property
    def data_root(self) -> str:
        """The folder whose disk pilots fill."""

    def starter(self) -> StartingRuntime:
        """Return what starts pilots beside this, in another thread."""


@dataclass(frozen=True, slots=True)
class RuntimeParts:
    """What pilots of one instance are made with."""

    instance: str
    node: str
    """The name that pilots are told."""
    clock: Clock
    config: Callable[[], Config]
    """Returns the configuration in force."""
    parent: ParentCgroup
    features: JobFeatures
    network: NetworkGuard


class ContainerEngine(Protocol):
    """Docker, or what stands in for it. Nothing is asked of it before it is needed."""

    @property
    def url(self) -> str:
        """What tells it from others on this node."""

    def parent(self, instance: str) -> ParentCgroup:
        """Return the parent cgroup of an instance's pilots."""

    def learn(self, parent: ParentCgroup) -> str:
        """Tell *parent* of the cgroups here; returns the folder whose disk pilots fill.

        RuntimeUnavailableError.
        """

    def runtime(self, parts: RuntimeParts) -> NodeRuntime:
        """Return the pilots of an instance."""

    def images(self, instance: str, paths: Paths, config: Config) -> ImageHelper:
        """Return what keeps an instance's images, and its notes on them below *paths*."""

    def helpers(self, instance: str, wake: Callable[[str], None]) -> Mapping[str, Helper]:
        """Return what works beside the runtime, by the threads' names.

        *wake* is called with the ID of each pilot that ended.
        """

    def output(self, id_: str, *, tail: int, follow: bool) -> Iterator[bytes]:
        """Yield what a pilot writes. RuntimeUnavailableError, ActionError."""

    def running_pilots(self) -> Mapping[str, int]:
        """Return how many pilots of each instance run. RuntimeUnavailableError."""
