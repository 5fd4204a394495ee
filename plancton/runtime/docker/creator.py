"""Makes pilots' containers."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

import docker.errors

from plancton import __version__
from plancton.config.schema import Profile
from plancton.engine.model.node import Limit, Protection
from plancton.engine.ports import ActionError, Clock, ImageMissingError
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker import container_spec
from plancton.runtime.docker.client import DockerClient, api_error_text
from plancton.runtime.docker.disk_meter import may_have_quota
from plancton.runtime.docker.gate import held
from plancton.runtime.docker.limits import unenforced_limits
from plancton.runtime.docker.pilots import NoPilotError, id_of
from plancton.runtime.docker.proxies import DockerProxies
from plancton.runtime.job_features import JobFeatures

log = logging.getLogger("plancton")

SPARE_SUFFIX = ".spare"
"""What a spare is called, behind the name of its pilot."""


class PilotCreator:
    """Creates containers of one instance on one engine; nothing is started here."""

    def __init__(
        self,
        instance: str,
        clock: Clock,
        parent: ParentCgroup,
        proxies: DockerProxies,
        oom_score_adj: Callable[[], int],
        node: str,
    ) -> None:
        """Make pilots of *instance* below *parent*; *node* is the name they are told."""
        self._instance, self._clock, self._parent = instance, clock, parent
        self._proxies, self._oom_score_adj, self._node = proxies, oom_score_adj, node
        self._ncpus = 1
        self.disk_quota = False
        """Whether the storage driver may enforce a bound on a container's disk."""
        self.unenforced: frozenset[Limit] = frozenset()
        """Limits that this kernel does not enforce."""
        self.complaints: tuple[str, ...] = ()
        """Docker's warnings about the last pilot it made."""

    def learn(self, info: Mapping[str, Any]) -> None:
        """Learn from Docker's ``/info`` what this engine can do."""
        self._ncpus = int(info.get("NCPU") or 1)
        self.disk_quota = may_have_quota(info)
        self.unenforced = unenforced_limits(info)

    def create(
        self,
        client: DockerClient,
        profile: Profile,
        bound: Profile,
        name: str,
        image_id: str,
        features: JobFeatures,
        cpus: tuple[int, ...] = (),
        held_to: float | None = None,
        *,
        spare: bool = False,
    ) -> str:
        """Create a pilot's container and return its ID; *bound* has its binds as mounted.

        A *spare* is held before its command, and called so.
        Raises ImageMissingError or ActionError.
        """
        wall = self._clock.wall()
        environment = features.prepare(
            name,
            profile,
            node=self._node,
            ncpus=self._ncpus,
            wall=wall,
            instance=self._instance,
        )
        body = container_spec.container_spec(
            bound,
            labels=container_spec.labels_for(
                profile,
                name=name,
                instance=self._instance,
                wall=wall,
                boot=self._clock.now(),
                version=__version__,
            ),
            parent=self._parent.name,
            low_weight=self._parent.protection is Protection.WEIGHT_ONLY,
            oom_score_adj=self._oom_score_adj(),
            disk_quota=self.disk_quota,
            image=image_id,
            env={**self._proxies.environment(), **environment.env},
            binds=environment.binds,
            unenforced=self.unenforced,
            cpus=cpus,
            held_to=held_to,
        )
        try:
            if spare:
                body = held(body, client.inspect_image(image_id or profile.image))
                body["Labels"] = {**body["Labels"], container_spec.SPARE: self.surroundings()}
                name += SPARE_SUFFIX
            made = self._create_within_quota(client, body, name)
        except docker.errors.ImageNotFound as error:
            raise ImageMissingError(f"no image {profile.image} on the node") from error
        except docker.errors.APIError as error:
            raise ActionError(f"cannot create: {api_error_text(error)}") from error
        self.complaints = _texts(made)
        try:
            return id_of(made)
        except NoPilotError as error:
            raise ActionError(f"cannot create: {error}") from error

    def surroundings(self) -> str:
        """Return 12 hexadecimal digits that change with what every pilot is given."""
        given = (
            self._parent.name,
            self._parent.protection,
            self._oom_score_adj(),
            self._node,
            self._ncpus,
            self.disk_quota,
            sorted(self.unenforced),
            sorted(self._proxies.environment().items()),
        )
        return hashlib.sha256(repr(given).encode()).hexdigest()[:12]

    def _create_within_quota(self, client: DockerClient, body: dict[str, Any], name: str) -> object:
        """Create a container; without its quota, where the storage driver turns out to have none.

        Whether it has cannot be asked: xfs, for one, must be mounted with pquota.
        """
        try:
            return client.create_container_from_config(body, name)  # type: ignore[no-untyped-call]
        except docker.errors.APIError:
            if body["HostConfig"].pop("StorageOpt", None) is None:
                raise
        made = client.create_container_from_config(body, name)  # type: ignore[no-untyped-call]
        self.disk_quota = False
        log.info("the storage driver has no quota, pilots' disk is only measured")
        return made


def _texts(made: object) -> tuple[str, ...]:
    """Return Docker's warnings in its answer to a creation."""
    found = made.get("Warnings") if isinstance(made, Mapping) else None
    return tuple(str(each)[:500] for each in found) if isinstance(found, list) else ()
