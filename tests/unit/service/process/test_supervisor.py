"""Threads that die are seen."""

from __future__ import annotations

from plancton.service.process.supervisor import ThreadSupervisor


def test_a_dead_thread_is_seen() -> None:
    """Its error is kept, and whoever waits is told."""
    supervisor = ThreadSupervisor()

    def die() -> None:
        raise RuntimeError("broken")

    supervisor.start("engine", die)
    assert supervisor.any_ended.wait(5)
    assert "engine thread died: RuntimeError('broken')" in supervisor.failure
