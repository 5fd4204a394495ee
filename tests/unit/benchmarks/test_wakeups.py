"""Wake-ups counted on constructed traces."""

from __future__ import annotations

import pytest

from benchmarks.wakeups import LostError, Placed, count

OWNER, PILOTS = {11, 12, 13}, {21, 22}
HEAD = "# tracer: nop\n#\n# entries-in-buffer/entries-written: {}/{}   #P:2\n"


def runs(core: int, pid: int) -> str:
    """Return the line of a core that goes over to a process."""
    return (
        f"          <idle>-0       [{core:03}] d..2.   10.000001: sched_switch: prev_comm=a b"
        f" prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=x y: z next_pid={pid} next_prio=120"
    )


def wakes(pid: int, target: int, core: int = 0) -> str:
    """Return the line of a thread that wakes up on the core *target*, woken by *core*."""
    return (
        f"     python3-worker-99      [{core:03}] dNh4.   10.000002: sched_wakeup: comm=python3"
        f" pid={pid} prio=120 target_cpu={target:03}"
    )


@pytest.mark.parametrize(
    ("running", "misplaced"),
    [
        ((11, 0), 1),  # beside a core that runs nothing
        ((11, 21), 1),  # beside a pilot
        ((11, 13), 0),  # all cores are the owner's
        ((11, 99), 0),  # another's work is on the other core
        ((0, 11), 0),  # onto a core that runs nothing
        ((21, 11), 0),  # onto a pilot, which gives way at once
        ((99, 0), 0),  # behind another's work: it is over soon, and not the owner's load
    ],
)
def test_what_counts_as_misplaced(running: tuple[int, int], misplaced: int) -> None:
    """Thread 12 wakes up on core 0."""
    trace = [runs(0, running[0]), runs(1, running[1]), wakes(12, 0)]
    assert count(trace, OWNER, PILOTS, 2) == Placed(1, misplaced)


def test_only_the_owners_threads_count() -> None:
    """Neither pilots nor others."""
    trace = [runs(0, 11), runs(1, 0), wakes(21, 0), wakes(99, 0)]
    assert count(trace, OWNER, PILOTS, 2) == Placed(0, 0)


def test_nothing_counts_before_each_core_is_known() -> None:
    """A core that has not switched yet may run anything."""
    trace = [runs(0, 11), wakes(12, 0), runs(1, 0), wakes(13, 0)]
    assert count(trace, OWNER, PILOTS, 2) == Placed(1, 1)


def test_cores_are_followed() -> None:
    """What was said last of a core holds; a line of another event, or half a line, is passed."""
    trace = [
        *("# comment", "", "nonsense", "  x-1 [000] d... 9.0: sched_waking: comm=a pid=12 prio=1"),
        *(runs(0, 11), runs(1, 21), wakes(12, 0), runs(1, 12), wakes(13, 0), runs(0, 0)),
        *(wakes(13, 0), wakes(13, 1)),
    ]
    found = count(trace, OWNER, PILOTS, 2)
    assert found == Placed(4, 2)
    assert found.share == 0.5
    assert count([], OWNER, PILOTS, 2).share == 0.0


def test_a_trace_with_gaps_is_refused() -> None:
    """What the kernel dropped may have been anything."""
    whole, gap = HEAD.format(7, 7).splitlines(), HEAD.format(7, 9).splitlines()
    assert count(whole, OWNER, PILOTS, 2) == Placed(0, 0)
    with pytest.raises(LostError, match="7 of 9"):
        count(gap, OWNER, PILOTS, 2)
