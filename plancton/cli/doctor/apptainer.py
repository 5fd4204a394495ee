"""The doctor's look at pilots without a daemon."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from plancton.cli.doctor.check import Check
from plancton.config.schema import Config
from plancton.engine.ports import RuntimeUnavailableError
from plancton.runtime.apptainer.command import refusals
from plancton.runtime.apptainer.images import ImageFiles
from plancton.runtime.apptainer.installation import Installation
from plancton.runtime.apptainer.launch import pilots_parent
from plancton.service.container_engines import engine_url, images_folder
from plancton.service.container_engines.apptainer import SCHEME
from plancton.service.instance import instance_name
from plancton.service.process.paths import Paths


def uses_apptainer(config: Config, paths: Paths) -> bool:
    """Say whether pilots run in Apptainer on this node."""
    with suppress(RuntimeUnavailableError):
        return engine_url(config.node, paths).startswith(SCHEME)
    return False


def check_apptainer(config: Config, paths: Paths) -> Iterator[Check]:
    """Check the program, what it needs of the kernel, the profiles and their images."""
    here = Installation()
    trouble = here.trouble()
    if trouble:
        word, _, mend = trouble.partition(": ")
        yield Check("apptainer", "FAIL", word, mend)
        return
    yield Check("apptainer", "OK", f"{here.version() or 'no version told'}, {here.program}")
    instance = instance_name(config)
    parent = pilots_parent(instance)
    world = here.world()
    parent.configure(world)
    verdict = "WARN" if parent.protection.incomplete else "OK"
    found = f"cgroup v{world['CgroupVersion']}, {'systemd' if here.systemd else 'no systemd'}"
    yield Check("protection", verdict, f"{parent.protection.value} ({found})", parent.note)
    for profile in config.pilots:
        for refusal in refusals(profile):
            yield Check("profile", "FAIL", f"pilots[{profile.name}].{refusal}")
    files = ImageFiles(images_folder(paths) / instance, lambda: here.program)
    for image in sorted({profile.image for profile in config.pilots}):
        if files.find(image):
            yield Check("image", "OK", f"{image} is on the node")
        else:
            mend = "plancton pulls it when it starts, and says why it cannot"
            yield Check("image", "WARN", f"{image} is not on the node", mend)
