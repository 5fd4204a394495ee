"""Folders are measured as they are on disk, whatever a pilot makes of them."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from plancton.runtime.docker import disk_meter
from plancton.runtime.docker.disk_meter import DiskMeter, Places, may_have_quota, places_of

MB = 1_000_000


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work without rests."""
    monkeypatch.setattr(disk_meter, "REST", 0.0)


def measured(**pilots: Places) -> DiskMeter:
    """Return a meter after a round; nobody answers for Docker."""
    meter = DiskMeter("unix:///nowhere")
    meter.watch(pilots)
    meter.measure()
    return meter


def written(meter: DiskMeter, id_: str = "a") -> tuple[float, int | None]:
    """Return megabytes, and the count of files."""
    found = meter.written(id_)
    assert found is not None
    return round(found.size / MB, 1), found.files


def fill(path: Path, size: int = MB) -> None:
    """Write a file, its folders first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def test_blocks_are_counted_and_links_once(tmp_path: Path) -> None:
    """Not what a sparse file pretends, not what a link leads to."""
    layer = tmp_path / "layer"
    fill(layer / "deep/er/file")
    os.link(layer / "deep/er/file", layer / "again")
    fill(tmp_path / "elsewhere/file", 9 * MB)
    (layer / "link").symlink_to(tmp_path / "elsewhere")
    with (layer / "sparse").open("wb") as sparse:
        sparse.truncate(50 * MB)
    assert written(measured(a=Places(str(layer)))) == (1.0, 6)


def test_volumes_count_and_named_ones_from_when_they_were_seen(tmp_path: Path) -> None:
    """What was in a named volume is not the pilot's, nor what several share."""
    names = "layer", "nameless", "cache", "shared"
    places = [tmp_path / name for name in names]
    for place in places:
        fill(place / "file")
    layer, nameless, cache, shared = map(str, places)
    mine, other = (cache, shared), (shared,)
    meter = measured(a=Places(layer, (nameless,), mine), b=Places(layer, (), other))
    assert written(meter)[0] == 2.0
    fill(places[2] / "more", 3 * MB)
    fill(places[3] / "more", 5 * MB)
    meter.measure()
    assert written(meter)[0] == 5.0
    assert written(meter, "b")[0] == 1.0
    meter.watch({})
    meter.measure()
    assert meter.written("a") is None


def test_a_look_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many files, so many levels; what was seen until then counts."""
    monkeypatch.setattr(disk_meter, "MOST", 10)
    for number in range(30):
        fill(tmp_path / str(number), 1)
    assert written(measured(a=Places(str(tmp_path))))[1] == 10
    monkeypatch.setattr(disk_meter, "MOST", 1000)
    monkeypatch.setattr(disk_meter, "DEEPEST", 3)
    fill(tmp_path / "a/b/c/d/e/f")
    assert written(measured(a=Places(str(tmp_path))))[1] == 30 + 3


def test_no_folder_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a look gave up."""
    monkeypatch.setattr(disk_meter, "MOST", 3)
    before = len(list(Path("/proc/self/fd").iterdir()))
    fill(tmp_path / "a/b/c/d")
    measured(a=Places(str(tmp_path)))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_who_cannot_be_measured_is_unknown(tmp_path: Path) -> None:
    """No layer to read and no Docker to ask: nothing is claimed."""
    assert measured(a=Places(str(tmp_path / "gone"))).written("a") is None
    assert measured(a=Places()).written("a") is None


def test_it_stops_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long rest does not hold up the end."""
    monkeypatch.setattr(disk_meter, "REST", 1e9)
    monkeypatch.setattr(disk_meter, "ROUND", 0.0)
    fill(tmp_path / "file")
    meter = DiskMeter("unix:///nowhere")
    meter.watch({"a": Places(str(tmp_path))})
    thread = threading.Thread(target=meter.run)
    thread.start()
    meter.stop()
    thread.join(20)
    assert not thread.is_alive()


def mount(**fields: Any) -> dict[str, Any]:
    """Return a mount as Docker tells it."""
    usual = {"Type": "volume", "Driver": "local", "RW": True, "Name": "cache", "Source": "/v/cache"}
    return {**usual, **fields}


@pytest.mark.parametrize(
    ("inspected", "places"),
    [
        ({"GraphDriver": {"Data": {"UpperDir": "/d"}}, "Mounts": []}, Places("/d")),
        ({"Mounts": [mount()]}, Places("", (), ("/v/cache",))),
        ({"Mounts": [mount(Name="0" * 64)]}, Places("", ("/v/cache",))),
        ({"Mounts": [mount(RW=False), mount(Type="bind"), mount(Driver="nfs")]}, Places()),
        ({"Mounts": [None, {}, mount(Source=3)], "GraphDriver": {"Data": None}}, Places()),
        ({"Mounts": "x", "GraphDriver": []}, Places()),
    ],
)
def test_places_are_found_in_an_inspection(inspected: dict[str, Any], places: Places) -> None:
    """Whatever else it may hold."""
    assert places_of(inspected) == places


@pytest.mark.parametrize(
    ("driver", "backing", "may"),
    [
        ("overlay2", "xfs", True),
        ("overlay2", "extfs", False),
        ("zfs", "zfs", True),
        ("btrfs", "btrfs", False),
        ("devicemapper", "xfs", False),
    ],
)
def test_where_a_quota_is_tried(driver: str, backing: str, may: bool) -> None:
    """Only where it would cost the owner nothing."""
    status = [["Backing Filesystem", backing], ["Supports d_type", "true"]]
    assert may_have_quota({"Driver": driver, "DriverStatus": status}) is may
    assert not may_have_quota({"Driver": driver, "DriverStatus": None}) or driver == "zfs"
