"""Images as files: their IDs, and what is removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plancton.runtime.apptainer.images import ImageFiles
from plancton.runtime.image_puller import PullError


class Store(ImageFiles):
    """Images below a folder, pulled by a program that copies what is to be had."""

    def __init__(self, folder: Path) -> None:
        """Have nothing."""
        self.offer = folder / "offer"
        program = folder / "apptainer"
        # Called as: apptainer --silent pull --force TARGET SOURCE
        program.write_text(
            f"#!/bin/sh\n[ -f {self.offer} ] || "
            '{ echo "FATAL: no such image: $5" >&2; exit 255; }\n'
            f'cp {self.offer} "$4"\n'
        )
        program.chmod(0o755)
        super().__init__(folder / "images", lambda: str(program))

    def pulled(self, text: str) -> str:
        """Pull an image with this content and return its ID."""
        self.offer.write_text(text)
        self.pull("lab/pilot:1", self.id_of("lab/pilot:1"))
        found = self.id_of("lab/pilot:1")
        assert found is not None
        return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty one."""
    return Store(tmp_path)


def test_a_file_in_the_place_of_another_is_another_image(store: Store, tmp_path: Path) -> None:
    """By whatever tells them apart; the same one stays itself."""
    file = tmp_path / "pilot.sif"
    assert store.id_of(str(file)) is None
    file.write_text("one")
    first = store.id_of(str(file))
    assert first == store.id_of(str(file))
    assert first is not None
    assert first.startswith("sha256:")
    (tmp_path / "new").write_text("two")
    (tmp_path / "new").replace(file)
    assert store.id_of(str(file)) != first
    assert store.by_id(str(file), first) is None


def test_a_link_is_what_it_leads_to(store: Store, tmp_path: Path) -> None:
    """As unpacked images on CVMFS are: a link to a folder that never changes."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    link = tmp_path / "pilot:latest"
    link.symlink_to("a")
    first = store.find(str(link))
    assert first is not None
    assert first[1] == tmp_path / "a"
    link.unlink()
    link.symlink_to("b")
    second = store.find(str(link))
    assert second is not None
    assert second[0] != first[0]


@pytest.mark.parametrize("target", ["nowhere", "loop"])
def test_a_link_that_leads_nowhere_is_no_image(store: Store, tmp_path: Path, target: str) -> None:
    """Nor one that leads to itself."""
    link = tmp_path / "loop"
    link.symlink_to(target)
    assert store.id_of(str(link)) is None


def test_what_is_pulled_is_called_by_its_content(store: Store) -> None:
    """The same content is the same image; the one before stays until it is removed."""
    first = store.pulled("one")
    assert store.pulled("one") == first
    second = store.pulled("two")
    assert second != first
    assert store.by_id("lab/pilot:1", first) is not None
    assert store.by_id("lab/pilot:1", second) == store.folder / f"{second[7:]}.sif"


def test_a_pull_that_fails_says_why_and_changes_nothing(store: Store) -> None:
    """In Apptainer's own words."""
    first = store.pulled("one")
    store.offer.unlink()
    with pytest.raises(PullError, match=r"no such image: docker://lab/pilot:1"):
        store.pull("lab/pilot:1", first)
    assert store.id_of("lab/pilot:1") == first
    assert [each.name for each in store.folder.iterdir() if "pulling" in each.name] == []


def test_a_file_that_is_not_there_cannot_be_pulled(store: Store) -> None:
    """It says which."""
    with pytest.raises(PullError, match=r"there is no /nowhere/p\.sif"):
        store.pull("/nowhere/p.sif", None)


def test_superseded_images_go_unless_somebody_needs_them(store: Store) -> None:
    """The newest of them stay as long as is asked."""
    ids = [store.pulled(text) for text in ("one", "two", "three", "four")]
    for age, id_ in enumerate(ids):
        os.utime(store.folder / f"{id_[7:]}.sif", (1000 + age, 1000 + age))
    removed = store.remove_superseded(["lab/pilot:1"], frozenset({ids[0]}), keep=1)
    assert [(each.id, each.freed) for each in removed] == [(ids[1], 3)]
    removed = store.remove_superseded([], frozenset(), keep=0)
    assert {each.id for each in removed} == {ids[0], ids[2], ids[3]}
    assert store.id_of("lab/pilot:1") is None
