"""From a profile to Apptainer's command line."""

from __future__ import annotations

from typing import Any

import pytest

from plancton.config.schema import Profile
from plancton.runtime.apptainer.command import (
    command_line,
    environment,
    refusals,
    source_of,
    user_of,
)

COMMON = ("apptainer", "--silent", "exec", "--containall", "--no-home", "--pwd", "/")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"command": ("a", "b c")}, (*COMMON, "--writable-tmpfs", "/i.sif", "a", "b c")),
        ({"command": "a", "read_only": True}, (*COMMON, "/i.sif", "a")),
        (
            {"command": "a", "init": False},
            (*COMMON, "--no-init", "--writable-tmpfs", "/i.sif", "a"),
        ),
        (
            {"command": "a", "network": "none", "read_only": True},
            (*COMMON, "--net", "--network", "none", "/i.sif", "a"),
        ),
        (
            {"command": "a", "binds": ("/x:/y", "/v:/w:rw,Z"), "read_only": True},
            (*COMMON, "--bind", "/x:/y:ro", "--bind", "/v:/w:rw", "/i.sif", "a"),
        ),
    ],
)
def test_a_profile_becomes_a_command_line(
    settings: dict[str, Any], expected: tuple[str, ...]
) -> None:
    """Contained, with nothing of the user's home; binds are read-only unless they say rw."""
    assert command_line("apptainer", Profile(**settings), "/i.sif", ()) == expected


def test_without_a_command_the_image_runs_its_own() -> None:
    """Apptainer's run, in place of exec."""
    words = command_line("apptainer", Profile(command=()), "/i.sif", ("/f:/g:ro",))
    assert words[2] == "run"
    assert words[-3:] == ("--bind", "/f:/g:ro", "/i.sif")


def test_values_stand_in_the_environment_and_never_in_the_command_line() -> None:
    """Everybody on the node may read a command line."""
    profile = Profile(command=("work",), env={"TOKEN": "geheim"})
    found = environment(profile, {"PLANCTON_PILOT": "p"}, {"PATH": "/bin", "SECRET": "x"})
    assert found == {
        "PATH": "/bin",
        "APPTAINERENV_TOKEN": "geheim",
        "APPTAINERENV_PLANCTON_PILOT": "p",
    }
    assert "geheim" not in " ".join(command_line("apptainer", profile, "/i", ()))


@pytest.mark.parametrize(
    ("image", "source"),
    [
        ("busybox", "docker://busybox"),
        ("registry:5000/a/b:1", "docker://registry:5000/a/b:1"),
        ("oras://r/x:1", "oras://r/x:1"),
        ("/cvmfs/x/y", "/cvmfs/x/y"),
    ],
)
def test_a_bare_reference_is_of_a_registry_of_dockers_kind(image: str, source: str) -> None:
    """So that a configuration moves from Docker to Apptainer as it is."""
    assert source_of(image) == source


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"network": "bridge"}, "network"),
        ({"network": "lab"}, "network"),
        ({"devices": ("/dev/fuse",)}, "devices"),
        ({"privileged": True}, "privileged"),
        ({"cap_add": ("SYS_ADMIN",)}, "cap_add"),
        ({"tmpfs": {"/t": ""}}, "tmpfs"),
        ({"security_opt": ("seccomp=unconfined",)}, "security_opt"),
        ({"binds": ("volume:/v",)}, "binds"),
        ({"user": "daemon"}, "user"),
        ({"user": "0:0"}, "user"),
        ({"ulimits": {"locks": {"soft": 1, "hard": 1}}}, "ulimits"),
    ],
)
def test_what_cannot_be_had_is_refused_by_its_key(settings: dict[str, Any], key: str) -> None:
    """One line each, that says what to write instead."""
    (found,) = refusals(Profile(**settings))
    assert found.startswith(f"{key}: ")


def test_a_profile_that_says_nothing_special_is_taken() -> None:
    """With the network of the node, as everything in Apptainer has."""
    assert list(refusals(Profile())) == []
    assert "--net" not in command_line("apptainer", Profile(), "/i", ())


@pytest.mark.parametrize(
    ("user", "numbers"),
    [("65534:65534", (65534, 65534)), ("12", (12, 12)), ("daemon", None), ("1:daemon", None)],
)
def test_a_user_must_be_numbers(user: str, numbers: tuple[int, int] | None) -> None:
    """The image's own list of users is not read."""
    assert user_of(Profile(user=user)) == numbers
