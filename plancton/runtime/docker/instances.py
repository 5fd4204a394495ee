"""Which instances have pilots on a Docker Engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import docker.errors

from plancton.engine.ports import RuntimeUnavailableError
from plancton.runtime.docker import container_spec
from plancton.runtime.docker.client import api_error_text, open_client
from plancton.runtime.docker.creator import SPARE_SUFFIX
from plancton.runtime.docker.pilots import labels_of, name_of


def running_pilots(url: str) -> Mapping[str, int]:
    """Return how many pilots of each instance run on an engine. Raises RuntimeUnavailableError."""
    with open_client(url, timeout=30) as client:
        try:
            listed = client.containers(filters={"label": container_spec.INSTANCE})
        except docker.errors.APIError as error:
            raise RuntimeUnavailableError(api_error_text(error)) from error
    pilots = (each for each in listed if not name_of(each).endswith(SPARE_SUFFIX))
    return Counter(str(labels_of(each).get(container_spec.INSTANCE)) for each in pilots)
