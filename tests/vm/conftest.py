"""One guest for all tests, with Plancton installed as an administrator would without network."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm.guest import ROOT, Guest


@pytest.fixture(scope="session")
def guest() -> Iterator[Guest]:
    """Return a running guest with Docker, an image for pilots, and Plancton in /opt/plancton."""
    with tempfile.TemporaryDirectory(prefix="plancton-vm-") as name:
        wheels = Path(name, "wheels")
        subprocess.run([ROOT / "scripts/wheels", wheels], check=True, timeout=600)
        made = Guest(Path(name))
        try:
            made.boot()
            install(made, wheels)
            yield made
        finally:
            made.shutdown()


def install(guest: Guest, wheels: Path) -> None:
    """Install Plancton from its wheel, and import the pilots' image."""
    guest.copy(wheels, "/root/wheels")
    guest.copy(ROOT / "contrib", "/root/contrib")
    guest.run("python3 -m venv /opt/plancton", 300)
    pip = "/opt/plancton/bin/pip --disable-pip-version-check install --no-index"
    guest.run(f"{pip} --quiet --find-links /root/wheels plancton", 600)
    guest.run("ln -s /opt/plancton/bin/plancton /usr/local/bin/")
    image = "docker import -c 'CMD [\"sh\"]' -c 'ENV PATH=/bin' /opt/busybox.tar busybox:latest"
    guest.run(image, 120)
