"""Machine/job features."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from plancton.config.schema import Profile
from plancton.runtime import job_features
from plancton.runtime.job_features import JobFeatures


def test_features_are_bound_by_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A run directory may be given relative to where Plancton was started."""
    monkeypatch.chdir(tmp_path)
    features = JobFeatures(Path("run"))
    facts: dict[str, Any] = {"node": "n", "ncpus": 4, "wall": 1000.0, "instance": "i"}
    told = features.prepare("p", Profile(ttl=60), **facts)
    assert [bind.split(":")[0] for bind in told.binds] == [
        f"{tmp_path}/run/p/machine",
        f"{tmp_path}/run/p/job",
    ]
    assert (tmp_path / "run/p/job/shutdowntime_job").read_text() == "1060\n"
    features.remove_others({"q"})
    assert not (tmp_path / "run/p").exists()
    (tmp_path / "file").touch()
    nowhere = JobFeatures(tmp_path / "file")
    assert "MACHINEFEATURES" not in nowhere.prepare("p", Profile(), **facts).env
    nowhere.prepare("q", Profile(), **facts)
    assert caplog.text.count("pilots get no machine/job features") == 1


def test_no_link_of_a_pilot_leads_to_the_host(tmp_path: Path) -> None:
    """Neither the file nor a folder on the way: what a pilot links to is not looked at."""
    host, root = tmp_path / "host", tmp_path / "root"
    (host / "hints").mkdir(parents=True)
    (host / "hints" / "checkpoint").touch()
    root.mkdir()
    (root / "plancton").symlink_to(host)
    parts = ("plancton", "hints", "checkpoint")
    with pytest.raises(OSError, match="Not a directory"):
        job_features._modified_below(str(root), parts)
    (root / "plancton").unlink()
    (root / "plancton" / "hints").mkdir(parents=True)
    (root / "plancton" / "hints" / "checkpoint").symlink_to(host / "hints" / "checkpoint")
    os.utime(host / "hints" / "checkpoint", (5, 5))
    assert job_features._modified_below(str(root), parts) != 5
    before = len(list(Path("/proc/self/fd").iterdir()))
    job_features._modified_below(str(root), parts)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


ROOT = "700 600 0:50 / / rw,relatime - overlay overlay rw\n"
PROC = "701 700 0:51 / /proc rw - proc proc rw\n"
HINTS = "702 700 0:52 / /plancton/hints rw,nosuid - tmpfs tmpfs rw,size=4k\n"


@pytest.mark.parametrize(
    ("mountinfo", "ours"),
    [
        (ROOT + PROC + HINTS, True),
        (ROOT.replace("overlay", "btrfs") + HINTS, True),
        (ROOT + PROC, False),
        (ROOT + "703 700 0:53 / /plancton rw - nfs4 a:/b rw\n" + HINTS, False),
        (ROOT + HINTS + "703 702 0:53 / /plancton/hints rw - fuse.x x rw\n", False),
        (ROOT + HINTS + "703 702 0:53 / /plancton/hints rw - tmpfs x rw\n", False),
        (ROOT + HINTS.replace("tmpfs", "autofs"), False),
        (ROOT.replace("overlay", "fuse.pilot") + HINTS, False),
        ("", False),
    ],
)
def test_hints_are_looked_at_in_our_own_tmpfs_only(mountinfo: str, ours: bool) -> None:
    """Anything else may hang, and the engine with it."""
    assert job_features.hints_are_ours(mountinfo) is ours


def test_more_mounts_than_any_pilot_needs_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pilot that may mount decides how long that takes."""
    monkeypatch.setattr(job_features, "_LONGEST_MOUNTINFO", 10)
    assert job_features._mountinfo(os.getpid()) == ""
