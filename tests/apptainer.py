"""Pilots of the tests in real Apptainer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from plancton.runtime.apptainer.images import ImageFiles
from plancton.runtime.apptainer.installation import Installation
from plancton.runtime.apptainer.pilot_cgroup import PilotCgroup
from plancton.runtime.apptainer.pilot_folder import PilotFolder, folders_in
from plancton.runtime.apptainer.runtime import ApptainerRuntime
from plancton.service.process.clock import SystemClock
from tests.conftest import OrdinaryParent, public_folder, remove_cgroups, until

INSTANCE = f"testapp{os.getpid()}"


class TestInstallation(Installation):
    """Of the Apptainer that the tests have."""

    __test__ = False

    def __init__(self, program: str) -> None:
        """Use this *program*."""
        super().__init__()
        self._program = program

    @property
    def program(self) -> str:
        """Its path."""
        return self._program


def has_no_shim(pilot: PilotFolder) -> bool:
    """Say whether nobody is with a pilot any more."""
    return not pilot.has_shim()


@contextmanager
def apptainer_runtime(made: tuple[str, Path]) -> Iterator[ApptainerRuntime]:
    """Yield a runtime of the tests' own; nothing of its pilots is left."""
    program, images = made
    place = public_folder(INSTANCE)
    installation = TestInstallation(program)
    parent = OrdinaryParent(INSTANCE, unit="{}.service")
    files = ImageFiles(images, lambda: program)
    runtime = ApptainerRuntime(place, INSTANCE, SystemClock(), parent, files, installation)
    try:
        yield runtime
    finally:
        for pilot in folders_in(place):
            PilotCgroup(parent, pilot.name).kill()
            until(partial(has_no_shim, pilot))
            PilotCgroup(parent, pilot.name).remove()
        runtime.close()
        shutil.rmtree(place, ignore_errors=True)
        remove_cgroups(f"plancton-{INSTANCE}")
