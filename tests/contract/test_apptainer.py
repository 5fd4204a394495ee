"""What only real Apptainer can show."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from plancton.config.schema import Profile
from plancton.engine.model.node import Protection
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.ports import ActionError, NotBoundError, RuntimeUnavailableError
from plancton.runtime.apptainer.ends import EndListener
from plancton.runtime.apptainer.output import PilotOutput
from plancton.runtime.apptainer.pilot_folder import PilotFolder
from plancton.runtime.apptainer.runtime import ApptainerRuntime
from plancton.runtime.job_features import JobFeatures
from tests.apptainer import TestInstallation, apptainer_runtime
from tests.conftest import public_folder, until

SLEEPER = Profile(command=("sh", "-c", "echo hello; exec sleep 1000"), ttl=500)


@pytest.fixture
def runtime(apptainer_image: tuple[str, Path]) -> Iterator[ApptainerRuntime]:
    """Return a runtime of the tests' own."""
    with apptainer_runtime(apptainer_image) as made:
        yield made


def script(text: str, **settings: object) -> Profile:
    """Return the profile of a pilot that runs a shell script."""
    return Profile(command=("sh", "-c", text)).model_copy(update=settings)


def only(runtime: ApptainerRuntime) -> Pilot:
    """Return the only pilot."""
    (pilot,) = runtime.pilots()
    return pilot


def output(runtime: ApptainerRuntime, profile: Profile) -> str:
    """Run a pilot to its end and return its log."""
    runtime.start(profile)
    until(lambda: only(runtime).state is PilotState.EXITED)
    return runtime.remove(only(runtime))


def folder_of(runtime: ApptainerRuntime, pilot: Pilot) -> PilotFolder:
    """Return a pilot's folder."""
    return PilotFolder(runtime.folder / pilot.id)


def processes_of(runtime: ApptainerRuntime) -> list[str]:
    """Return all processes below the parent cgroup, those of shims too."""
    place = runtime.parent.place("cpu")
    assert place is not None
    return [pid for file in place.rglob("cgroup.procs") for pid in file.read_text().split()]


def test_a_pilot_of_root_has_no_rights(runtime: ApptainerRuntime) -> None:
    """Nobody, without capabilities on the node, first for the OOM killer."""
    text = output(
        runtime, script("id -u; cat /proc/self/oom_score_adj; grep NoNew /proc/self/status")
    )
    assert text.split() == ["65534", "1000", "NoNewPrivs:", "1"]


def test_it_sees_nothing_of_the_node(
    runtime: ApptainerRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own processes, an empty home and a /tmp of its own, and no variable of ours."""
    monkeypatch.setenv("PLANCTON_TEST_VARIABLE", "ours")
    *variables, processes, written = output(
        runtime, script("env; ls /tmp; ps | wc -l; touch /new && echo written")
    ).splitlines()
    assert not [line for line in variables if "PLANCTON_TEST_VARIABLE" in line]
    assert [line for line in variables if "=" not in line] == []  # nothing in /tmp
    assert int(processes) < 8
    assert written == "written"


def test_values_are_in_no_command_line(runtime: ApptainerRuntime) -> None:
    """But reach the pilot; and no file of it is left."""
    runtime.start(script("echo $TOKEN; exec sleep 1000", env={"TOKEN": "geheim"}))
    pilot = only(runtime)
    folder = folder_of(runtime, pilot)
    until(lambda: folder.log(10) == b"geheim\n")
    for pid in processes_of(runtime):
        assert b"geheim" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    for file in folder.place.rglob("*"):
        assert file.name == "log" or not file.is_file() or b"geheim" not in file.read_bytes()


def test_features_and_binds_reach_it(runtime: ApptainerRuntime) -> None:
    """Read-only, unless a bind says rw."""
    shared = public_folder("testfeatures")
    (shared / "in").mkdir()
    (shared / "in").chmod(0o777)
    runtime._features = JobFeatures(shared / "features")
    binds = (f"{shared}/in:/in:rw", f"{shared}:/all")
    text = output(
        runtime,
        script(
            "cat $JOBFEATURES/wall_limit_secs; touch /in/made /all/no; echo $PLANCTON_HINTS.",
            binds=binds,
            ttl=77.0,
        ),
    )
    assert text.startswith("77\n")
    assert (shared / "in/made").exists()
    assert not (shared / "no").exists()
    assert text.endswith("\n.\n")  # there are no hints here
    shutil.rmtree(shared)


def test_without_network_there_is_only_the_loopback(runtime: ApptainerRuntime) -> None:
    """As network: none says."""
    text = output(runtime, Profile(command=("cat", "/proc/net/dev"), network="none"))
    assert [line.split(":")[0].strip() for line in text.splitlines()[2:]] == ["lo"]


def test_too_much_memory_is_told(runtime: ApptainerRuntime) -> None:
    """The pilot is killed, and its end says why."""
    greedy = script("x=x; while :; do x=$x$x; done", memory=20_000_000)
    runtime.start(greedy)
    until(lambda: only(runtime).state is PilotState.EXITED)
    pilot = only(runtime)
    assert pilot.oom_killed
    assert pilot.exit_code != 0


def test_another_engine_finds_the_pilots_again(runtime: ApptainerRuntime) -> None:
    """With all that was promised; their shims live on."""
    runtime.start(SLEEPER, held_to=2.0)
    before = only(runtime)
    again = runtime.starter()
    after = only(again)
    assert replace(after, cpu_seconds=0, memory_used=0) == replace(
        before, cpu_seconds=0, memory_used=0
    )
    again.kill(after)
    until(lambda: only(runtime).state is PilotState.EXITED)
    assert only(runtime).exit_code == 137


def test_a_pilot_whose_shim_was_killed_has_ended(runtime: ApptainerRuntime) -> None:
    """Nobody could tell how it ends, so it is ended; nothing of it is left."""
    runtime.start(SLEEPER)
    pilot = only(runtime)
    shims = [
        pid
        for pid in processes_of(runtime)
        if b"shim.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert len(shims) == 1
    os.kill(int(shims[0]), signal.SIGKILL)
    until(lambda: only(runtime).state is PilotState.EXITED)
    lost = only(runtime)
    assert (lost.exit_code, lost.error) == (137, "its shim was killed")
    until(lambda: not processes_of(runtime))
    runtime.remove(pilot)
    assert runtime.pilots() == ()


def test_nothing_is_left_of_pilots_that_were_killed(runtime: ApptainerRuntime) -> None:
    """No process, no cgroup, no folder: also of what it started, and if it is frozen."""
    for _ in range(3):
        runtime.start(script("sleep 1000 & setsid sleep 1000 & exec sleep 1000"))
    pilots = runtime.pilots()
    runtime.freeze(pilots[0])
    for pilot in pilots:
        runtime.kill(pilot)
    until(lambda: all(pilot.state is PilotState.EXITED for pilot in runtime.pilots()))
    for pilot in runtime.pilots():
        runtime.remove(pilot)
    assert processes_of(runtime) == []
    place = runtime.parent.place("cpu")
    assert place is not None
    assert [each for each in place.iterdir() if each.is_dir()] == []
    assert [each for each in runtime.folder.iterdir() if each.is_dir()] == []


def test_an_end_is_heard_of(runtime: ApptainerRuntime) -> None:
    """At once, so that the place is taken again."""
    heard: list[str] = []
    listener = EndListener(runtime.folder, heard.append)

    thread = threading.Thread(target=listener.run, daemon=True)
    thread.start()
    until(lambda: heard == [""])
    runtime.start(script("exit 0"))
    until(lambda: len(heard) == 2)
    assert heard[1] == only(runtime).id
    listener.stop()
    thread.join(30)
    assert not thread.is_alive()


def test_output_is_followed_to_its_end(runtime: ApptainerRuntime) -> None:
    """Over a log that was put aside meanwhile."""
    runtime.start(script("for i in $(seq 2000); do echo line $i; done; exit 0", log_size=8192))
    pilot = only(runtime)
    text = b"".join(PilotOutput(folder_of(runtime, pilot), tail=10, follow=True))
    assert text.endswith(b"line 2000\n")
    assert b"".join(PilotOutput(folder_of(runtime, pilot), tail=2, follow=False)) == (
        b"line 1999\nline 2000\n"
    )


def test_it_lives_in_the_idle_class(runtime: ApptainerRuntime) -> None:
    """Verified in the kernel."""
    runtime.start(SLEEPER)
    assert runtime.parent.verify() is Protection.IDLE
    assert len(processes_of(runtime)) >= 2
    assert only(runtime).cpu_seconds is not None


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (Profile(network="bridge"), "network"),
        (Profile(binds=("/nonexistent/x:/x",)), "/nonexistent/x"),
        (Profile(command=("/nonexistent",)), ""),
    ],
)
def test_what_cannot_start_says_why_and_leaves_nothing(
    runtime: ApptainerRuntime, profile: Profile, said: str
) -> None:
    """A command that is not in the image is an end, with Apptainer's own words in its log."""
    if said:
        with pytest.raises(ActionError, match=said):
            runtime.start(profile)
        assert runtime.pilots() == ()
        return
    assert "nonexistent" in output(runtime, profile)


def test_cpus_that_are_not_there_are_refused_for_them(runtime: ApptainerRuntime) -> None:
    """So that it is tried without."""
    with pytest.raises(NotBoundError):
        runtime.start(SLEEPER, cpus=(4000,))
    assert runtime.pilots() == ()


def test_without_apptainer_nothing_is_concluded(runtime: ApptainerRuntime) -> None:
    """It says what to install; pilots that run stay."""
    runtime.start(SLEEPER)
    missing = runtime.starter()
    missing.installation = TestInstallation("")
    with pytest.raises(RuntimeUnavailableError, match="not installed"):
        missing.pilots()
    assert only(runtime).live


def test_a_bind_of_a_remote_configuration_leads_nowhere_else(runtime: ApptainerRuntime) -> None:
    """By no link that a pilot may have made, as with Docker."""
    scratch = public_folder("testscratch")
    scratch.chmod(0o777)
    (scratch / "sub").symlink_to("/etc")
    remote = script("ls /x", binds=(f"{scratch}/sub:/x",)).bound_within((str(scratch),))
    with pytest.raises(ActionError, match="link"):
        runtime.start(remote)
    assert runtime.pilots() == ()
    shutil.rmtree(scratch)
