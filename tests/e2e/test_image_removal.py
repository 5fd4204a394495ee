"""Images that Plancton brought are removed when nothing needs them; all others never are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import docker.errors
import pytest

from plancton.engine.model.state import Rollout
from plancton.engine.records.persistent_state import PersistentState
from plancton.engine.rules.superseded_images import UNWANTED_FOR
from plancton.runtime.docker.client import DockerClient, docker_url
from plancton.runtime.docker.image_remover import ImageRemover, image_id
from plancton.runtime.docker.images import DockerImages
from plancton.runtime.simulated_node import SimulatedNode
from plancton.service.state_file import PulledImagesFile, StateFile, good_images_of_others
from tests.conftest import INSTANCE, until
from tests.e2e.conftest import Containers
from tests.e2e.registry import SIZE, Registry
from tests.e2e.service import Service

pytestmark = pytest.mark.docker
NONE: frozenset[str] = frozenset()


class Keeper:
    """What keeps the registry's image on the node, with a clock of its own."""

    def __init__(self, registry: Registry, folder: Path) -> None:
        """Keep its list of images in *folder*."""
        self.registry, self.client, self.folder = registry, registry.client, folder
        self.clock, self.wanted = SimulatedNode(), frozenset({registry.reference})
        self.file, self.keep, self.pull = folder / "images-a.json", 0, True
        self.pinned = NONE
        self.restart()

    def restart(self) -> None:
        """Begin anew with what is in the files."""
        store = PulledImagesFile(self.file, docker_url())
        others = self.folder / "memory-a.json"
        remover = ImageRemover(
            docker_url(), self.clock, store, lambda: good_images_of_others(others)
        )
        self.images = DockerImages(docker_url(), self.clock, "", remover)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and work."""
        self.clock.advance(seconds)
        self.images.configure(self.wanted, 3600, pull=self.pull, keep=self.keep)
        self.images.pin(self.pinned)
        self.images.pull_due()

    def look(self) -> None:
        """Work as often as it takes for whatever is due to be done."""
        for _ in range(4):
            self.pass_time(901)

    def fetch(self, mark: str) -> str:
        """Have the tag moved and fetched; returns the ID of the new image."""
        id_ = self.registry.push(mark)
        self.pass_time(2 * 3600)
        self.pass_time(60)
        assert image_id(self.client, self.registry.reference) == id_
        return id_

    def there(self) -> list[int]:
        """Return which of the registry's images are on the node, by number."""
        pushed = enumerate(self.registry.pushed)
        return [number for number, id_ in pushed if image_id(self.client, id_)]


@pytest.fixture
def keeper(registry: Registry, tmp_path: Path) -> Keeper:
    """Return a keeper with an empty list."""
    return Keeper(registry, tmp_path)


def test_superseded_images_are_removed(keeper: Keeper) -> None:
    """All but the present one, and it is told which and what that freed."""
    for mark in ("one", "two", "three", "four"):
        keeper.fetch(mark)
    keeper.look()
    assert keeper.there() == [3]
    removed = keeper.images.take_removed()
    assert [image.id for image in removed] == keeper.registry.pushed[:3]
    assert [image.freed for image in removed] == [SIZE] * 3
    assert {image.reference for image in removed} == {keeper.registry.reference}
    assert keeper.images.take_removed() == ()


def test_as_many_are_kept_as_asked_for(keeper: Keeper) -> None:
    """The newest ones; a lowered number holds for those that are there already."""
    keeper.keep = 2
    for mark in ("one", "two", "three", "four"):
        keeper.fetch(mark)
    keeper.look()
    assert keeper.there() == [1, 2, 3]
    keeper.keep = 0
    keeper.look()
    assert keeper.there() == [3]


def test_without_pulls_nothing_is_removed(keeper: Keeper) -> None:
    """What is on the node is all there will be."""
    keeper.fetch("one")
    keeper.fetch("two")
    keeper.pull = False
    keeper.look()
    assert keeper.there() == [0, 1]


def test_what_canaries_need_stays(keeper: Keeper) -> None:
    """The last good image of this instance, and of another whose state lies beside it."""
    first = keeper.fetch("one")
    keeper.pinned = frozenset({first})
    keeper.fetch("two")
    keeper.look()
    assert keeper.there() == [0, 1]
    keeper.pinned = NONE
    other = StateFile(keeper.folder / "memory-b.json")
    other.save(PersistentState(rollouts={keeper.registry.reference: Rollout(good=first)}))
    keeper.look()
    assert keeper.there() == [0, 1]
    other.save(PersistentState())
    keeper.look()
    assert keeper.there() == [1]


def tagged(client: DockerClient, id_: str) -> Callable[[], None]:
    """Give an image a name."""
    name = f"{INSTANCE}-mine:1"
    client.tag(id_, f"{INSTANCE}-mine", "1")
    return lambda: _ignore(client.remove_image(name))


def in_container(client: DockerClient, id_: str) -> Callable[[], None]:
    """Make a container that never starts."""
    made = client.create_container(id_, ["true"])["Id"]
    return lambda: client.remove_container(made)


def in_exited_container(client: DockerClient, id_: str) -> Callable[[], None]:
    """Make a container that has ended."""
    made = client.create_container(id_, ["true"])["Id"]
    client.start(made)
    client.wait(made)
    return lambda: client.remove_container(made)


def built_upon(client: DockerClient, id_: str) -> Callable[[], None]:
    """Make an image of it."""
    made = client.create_container(id_, ["true"])["Id"]
    child = client.commit(made, f"{INSTANCE}-child")["Id"]
    client.remove_container(made)
    return lambda: _ignore(client.remove_image(child, noprune=True))


def _ignore(_: object) -> None:
    pass


@pytest.mark.parametrize("use", [tagged, in_container, in_exited_container, built_upon])
def test_what_somebody_else_uses_stays_as_long_as_they_do(
    keeper: Keeper, use: Callable[[DockerClient, str], Callable[[], None]]
) -> None:
    """By whatever means."""
    no_more = use(keeper.client, keeper.fetch("one"))
    try:
        keeper.fetch("two")
        keeper.look()
        assert keeper.there() == [0, 1]
        assert keeper.images.take_removed() == ()
    finally:
        no_more()
    keeper.look()
    assert keeper.there() == [1]


@pytest.fixture
def loaded(registry: Registry) -> Iterator[str]:
    """Return the ID of an image that somebody brought before Plancton came."""
    id_ = registry.push("one")
    name, _, tag = registry.reference.rpartition(":")
    for line in registry.client.pull(name, tag=tag, stream=True, decode=True):
        assert "error" not in line
    yield id_
    with suppress(docker.errors.NotFound):
        registry.client.remove_image(id_, force=True)


def test_what_was_there_before_stays(loaded: str, keeper: Keeper) -> None:
    """The image when it is superseded, and the name when the reference leaves the configuration."""
    keeper.pass_time(100)
    keeper.pass_time(100)
    second = keeper.fetch("two")
    keeper.look()
    assert keeper.there() == [0, 1]
    keeper.wanted = NONE
    keeper.pass_time(60)
    keeper.pass_time(UNWANTED_FOR + 60)
    keeper.look()
    assert image_id(keeper.client, keeper.registry.reference) == second
    assert keeper.there() == [0, 1]
    assert image_id(keeper.client, loaded) == loaded


def test_images_of_a_reference_that_left_the_configuration_go_after_a_day(keeper: Keeper) -> None:
    """With their name; not, if the reference comes back in the meantime."""
    first = keeper.fetch("one")
    wanted, keeper.wanted = keeper.wanted, NONE
    for _ in range(2):
        keeper.pass_time(UNWANTED_FOR / 2)
    assert keeper.there() == [0]
    keeper.wanted = wanted
    keeper.registry.stop()
    keeper.look()
    assert keeper.images.status()[keeper.registry.reference].id == first
    keeper.wanted = NONE
    keeper.pass_time(60)
    keeper.pass_time(UNWANTED_FOR + 60)
    keeper.look()
    assert keeper.there() == []
    assert [image.freed for image in keeper.images.take_removed()] == [SIZE]


def test_what_is_ours_is_known_after_a_restart(keeper: Keeper) -> None:
    """From the state folder."""
    keeper.fetch("one")
    in_use = in_container(keeper.client, keeper.registry.pushed[0])
    keeper.fetch("two")
    keeper.look()
    keeper.restart()
    in_use()
    keeper.look()
    assert keeper.there() == [1]


@pytest.mark.parametrize(
    "text",
    [
        *(pytest.param(text, marks=pytest.mark.long) for text in ("", '{"images": 7}')),
        *('{"engine": ', '{"engine": "unix:///other"}'),
    ],
)
def test_a_list_that_cannot_be_trusted_removes_nothing(keeper: Keeper, text: str) -> None:
    """Corrupt, or of another Docker Engine."""
    keeper.fetch("one")
    keeper.keep = 1
    keeper.fetch("two")
    keeper.file.write_text(text)
    keeper.restart()
    keeper.keep = 0
    keeper.look()
    assert keeper.there() == [0, 1]
    keeper.fetch("three")
    keeper.fetch("four")
    keeper.look()
    assert keeper.there() == [0, 1, 3]


def test_a_full_disk_under_the_state_stops_no_removal(keeper: Keeper) -> None:
    """The list cannot be written, the images go all the same."""
    keeper.file = keeper.folder / "file" / "images.json"
    keeper.file.parent.write_text("where a folder should be")
    keeper.restart()
    keeper.fetch("one")
    keeper.fetch("two")
    keeper.look()
    assert keeper.there() == [1]


def test_a_docker_that_is_away_is_asked_ever_more_seldom(keeper: Keeper) -> None:
    """Without a word beyond that of the pull; and it is done when Docker is there again."""
    keeper.fetch("one")
    in_use = in_container(keeper.client, keeper.registry.pushed[0])
    keeper.fetch("two")
    in_use()
    remover = keeper.images.remover
    assert remover
    remover.url = f"unix://{keeper.folder}/none.sock"
    keeper.look()
    assert keeper.there() == [0, 1]
    remover.url = docker_url()
    keeper.look()
    assert keeper.there() == [1]


def test_a_service_removes_what_its_canary_needs_no_more(
    registry: Registry, service: Service, containers: Containers
) -> None:
    """A bad image when it is superseded; the last good one not before there is a better one."""
    good = registry.push("good")
    command = ["sh", "-c", 'test -z "$BAD" || exit 7; exec sleep 1000']
    image = {"canary": True, "canary_life": "3s", "refresh": "1s"}
    one = {"maximum": 1, "backoff": "1s"}
    profile = {"image": registry.reference, "command": command}
    service.configure(profile, image=image, spawn=one)
    service.start()
    until(lambda: len(service.names()) == 1)
    bad = registry.push("bad", "ENV BAD=1")
    until(lambda: service.status()["images"][registry.reference]["id"] == bad)
    containers.leave()
    until(lambda: any(f["code"] == "image-pinned" for f in service.status()["findings"]))
    until(lambda: any(pilot["image_id"] == good for pilot in service.status()["pilots"]))
    better = registry.push("better")
    until(lambda: image_id(registry.client, bad) is None)
    assert image_id(registry.client, good) == good
    containers.leave()
    until(lambda: any(pilot["image_id"] == better for pilot in service.status()["pilots"]))
    until(lambda: image_id(registry.client, good) is None)
    word = f"unused image removed image={registry.reference} id={good[7:19]} freed=100 kB"
    # The tick that tells of it follows the removal.
    until(lambda: word in [each["text"] for each in service.status()["events"]])
    assert word.partition(" image=")[0] in service.log
    assert service.stop() == 0
