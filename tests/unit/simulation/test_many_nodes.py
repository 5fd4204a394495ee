"""Many simulated nodes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plancton.config.schema import Config
from plancton.simulation.many_nodes import KINDS, FleetResult, node_trace, run_fleet
from plancton.simulation.simulator import Assumptions, Simulation

LONG = Assumptions(life=1e9, start_delay=0, start_cost=0)


def test_a_fleet_adds_up() -> None:
    """Ten nodes, an hour: every one differs, none loses its owner's time or most of the idle."""
    nodes = tuple(run_fleet(Config(), 10, 1.0, Assumptions()))
    found = FleetResult("defaults", 1.0, 0.0, nodes)
    assert len({(node.kind, node.ncpus, node.idle) for node in nodes}) == 10
    assert sum(found.of(kind).idle for kind in KINDS) == pytest.approx(found.idle)
    assert 0.9 < (found.share or 0) <= 1.0
    assert found.harvested < 3600 * sum(node.ncpus for node in nodes)
    assert found.total(lambda a: a.started) >= sum(node.ncpus for node in nodes) / 2
    assert node_trace(3, 1.0) == node_trace(3, 1.0) != node_trace(4, 1.0)


def test_a_fleet_starts_all_its_pilots_although_it_looks_seldom() -> None:
    """A limit to each tick holds nobody up for two minutes."""
    trace = node_trace(0, 1.0)
    assert trace.name == "spare"
    runs = [
        Simulation(Config(), trace, assumptions=replace(LONG, tick=tick)) for tick in (120.0, 5.0)
    ]
    seldom, often = (each.run() for each in runs)
    assert seldom.account.started == often.account.started == trace.ncpus
    assert seldom.share == pytest.approx(often.share, abs=0.02)
    assert 5 * runs[0].engine.builder.tick < runs[1].engine.builder.tick
