"""Metrics of Prometheus: parsed by its own parsers, named by its conventions."""

from __future__ import annotations

import re

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from plancton.engine.views.snapshot import Snapshot
from plancton.monitor.sinks.prometheus import exposition
from tests.scenario.rig import Rig


@pytest.fixture
def rig() -> Rig:
    """Return a node with running, ended and waiting pilots."""
    made = Rig(4, pilots=[{"name": "a"}, {"name": "b", "cpus": 0.5}])
    made.node.foreground = 1.0
    made.run(90)
    return made


def values(snapshot: Snapshot) -> dict[str, float]:
    """Return each sample's value by its name and labels."""
    text = exposition(snapshot)[0].decode()
    return {
        s.name + "".join(f"|{v}" for _, v in sorted(s.labels.items())): s.value
        for family in plain(text)
        for s in family.samples
    }


def test_both_forms_are_parsed_by_their_parsers(rig: Rig) -> None:
    """Text for those who do not ask, OpenMetrics for those who do."""
    body, media = exposition(rig.latest)
    assert media.startswith("text/plain")
    assert list(plain(body.decode()))
    body, media = exposition(rig.latest, "application/openmetrics-text; version=1.0.0")
    assert media.startswith("application/openmetrics-text")
    families = list(openmetrics(body.decode()))  # type: ignore[no-untyped-call]
    assert len(families) > 20
    for family in families:
        assert re.fullmatch(r"plancton(_[a-z0-9]+)*", family.name)
        assert family.documentation.endswith(".")


def test_figures_are_the_snapshots(rig: Rig) -> None:
    """Cores add up to the node's, pilots to what runs, counters to the ledger's."""
    found, s = values(rig.latest), rig.latest
    uses = [found[f"plancton_cpu_cores|{use}"] for use in ("foreground", "pilots", "idle")]
    assert sum(uses) == pytest.approx(4)
    running = [v for k, v in found.items() if k.startswith("plancton_pilots|") and "running" in k]
    assert sum(running) == rig.running
    assert found["plancton_mode|active"] == 1
    assert found["plancton_mode|draining"] == 0
    assert found["plancton_pilots_started_total"] == s.ledger.total.started
    assert found["plancton_pilots_ended_total|exited"] == s.ledger.total.ended["exited"]
    assert found["plancton_harvested_core_seconds_total"] == pytest.approx(s.ledger.total.harvested)
    assert found["plancton_docker_up"] == 1


def test_counters_never_fall_and_an_outage_is_seen(rig: Rig) -> None:
    """Also while Docker is away, and after the engine was started anew."""
    before = values(rig.latest)
    rig.node.down = "gone"
    rig.run(30)
    away = values(rig.latest)
    assert away["plancton_docker_up"] == 0
    for name, value in before.items():
        if "_total" in name:
            assert away[name] >= value, name


def test_a_node_that_was_not_seen_yet_has_metrics() -> None:
    """Docker is away at the start."""
    rig = Rig(2)
    rig.node.down = "gone"
    rig.run(5)
    found = values(rig.latest)
    assert found["plancton_docker_up"] == 0
    assert "plancton_cpu_cores|idle" not in found
