"""What runs pilots on this node: Docker, Podman by Docker's API, or Apptainer."""

from plancton.service.container_engines.choice import container_engine, engine_url
from plancton.service.container_engines.port import ContainerEngine, Helper, ImageHelper

__all__ = ["ContainerEngine", "Helper", "ImageHelper", "container_engine", "engine_url"]
