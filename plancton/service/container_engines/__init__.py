"""What runs pilots on this node: Docker, Podman by Docker's API, or Apptainer."""

from plancton.service.container_engines.choice import container_engine, engine_url, images_folder
from plancton.service.container_engines.port import ContainerEngine, Helper

__all__ = [
    "ContainerEngine",
    "Helper",
    "container_engine",
    "engine_url",
    "images_folder",
]
