"""Images as the engine and the screen see them, on a simulated node."""

from __future__ import annotations

from dataclasses import replace

from plancton.engine.model.pulled_image import RemovedImage
from tests.scenario.rig import Rig


def test_images_that_canaries_need_are_pinned_and_removals_are_told() -> None:
    """The puller hears of the good image and the candidate, the screen of what is gone."""
    rig = Rig(1, image={"canary": True})
    rig.run(10)
    assert rig.node.pinned_images == {"sha256:simulated"}
    rig.node.image_ids["busybox:latest"] = "sha256:new"
    rig.run(10)
    assert rig.node.pinned_images == {"sha256:simulated", "sha256:new"}
    removed = RemovedImage("sha256:0123456789abcdef", "busybox:latest", 1_500_000)
    rig.node.removed_images = (removed, replace(removed, freed=None))
    rig.run(10)
    told = [event.text for event in rig.latest.events if "image removed" in event.text]
    word = "unused image removed image=busybox:latest id=0123456789ab"
    assert told == [f"{word} freed=1.5 MB", word]
    rig.settings.set(image={"canary": False})
    rig.run(10)
    assert rig.node.pinned_images == frozenset()
