"""Whether an image is made for this kind of machine."""

from __future__ import annotations

from plancton.runtime.docker.client import DockerClient

_ALSO_RUNS = {"amd64": {"386"}, "arm64": {"arm"}}
"""What a machine runs beside its own, by Docker's (Go's) names."""


def foreign_platform(client: DockerClient, id_: str) -> str:
    """Say that an image is made for another kind of machine; empty: it is not, or nobody knows."""
    image, node = client.inspect_image(id_), client.version()
    made_for = str(image.get("Architecture") or "")
    here = str(node.get("Arch") or "") if isinstance(node, dict) else ""
    if not made_for or not here or made_for in {here, *_ALSO_RUNS.get(here, ())}:
        return ""
    return (
        f"it is made for {made_for} and this node is {here}: its pilots fail with "
        '"exec format error", unless the node emulates the other (binfmt_misc)'
    )
