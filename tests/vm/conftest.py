"""One guest for all tests, with Plancton installed as an administrator would without network."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.vm.guest import ROOT, Guest
from tests.vm.tested import OUTCOMES


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the release of Debian, and whether to write down what ran."""
    parser.addoption("--release", default="bookworm", help="Debian of the guest: trixie, sid")
    parser.addoption("--record", action="store_true", help="write docs/engines-tested.md")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Begin with no outcomes."""
    session.stash[OUTCOMES] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the outcomes of tests with an engine."""
    report = yield
    if isinstance(item, pytest.Function) and hasattr(item, "callspec") and report.when == "call":
        kind = item.callspec.params.get("engine")
        if isinstance(kind, str):
            item.session.stash[OUTCOMES][kind, item.originalname] = report.passed
    return report


@pytest.fixture(scope="session")
def guest(request: pytest.FixtureRequest) -> Iterator[Guest]:
    """Return a running guest with Docker, an image for pilots, and Plancton in /opt/plancton."""
    with tempfile.TemporaryDirectory(prefix="plancton-vm-") as name:
        made = Guest(Path(name), request.config.getoption("--release"))
        wheels = Path(name, "wheels")
        subprocess.run([ROOT / "scripts/wheels", wheels, made.python], check=True, timeout=600)
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
