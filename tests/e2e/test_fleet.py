"""One remote configuration for nodes that differ: rules, and a drain for those that they name."""

from __future__ import annotations

import json

from tests.conftest import until
from tests.e2e.service import Service
from tests.e2e.test_admin import change, commit


def test_rules_and_a_drain_come_from_one_remote_file(service: Service) -> None:
    """They hold here, are shown, drain the node, and give it back when they no longer say so."""
    repository = service.folder / "repository"
    repository.mkdir()
    commit(repository, "init", "-q")
    fleet = {"spawn": {"maximum": 1, "when": 0}}  # no pilots: Docker may be slow
    two = {"labels": {"rack": "r1*"}, "cores": ">= 1", "set": {"spawn": {"maximum": 3}}}
    other = {"host": "elsewhere*", "set": {"spawn": {"maximum": 9}}}
    change(repository, {**fleet, "match": [two, other]})
    remote = {"url": f"git+file://{repository}", "interval": "1h"}
    node = {"instance": service.instance, "interval": "1s", "labels": {"rack": "r12"}}
    service.write(json.dumps({"node": node, "remote": remote}))
    service.start()
    until(lambda: service.status()["maximum"] == 3, 60)
    assert f"git+file://{repository}: match[0]" in service.status()["config_source"]
    state = ["--config", str(service.config), "--statedir", str(service.folder / "state")]
    shown = service.command("config", "show", "--origins", *state).stdout
    assert f'spawn.maximum = "3"  # git+file://{repository}: match[0]' in shown
    assert f"# git+file://{repository}: match[1] does not hold: the host is" in shown
    drain = {"labels": ["rack"], "set": {"node": {"drain": True}}}
    change(repository, {**fleet, "match": [two, other, drain]})
    assert "is in force (new)" in service.ask("reload")
    assert "active, but the configuration asks to drain" in service.ask("status")
    assert "the configuration asks to drain (node.drain)" in service.ask("why")
    assert "draining" in service.ask("drain")
    assert "active" in service.ask("resume")
    assert "asks to drain" in service.ask("status")
    change(repository, {**fleet, "match": [two, other]})
    assert "is in force (new)" in service.ask("reload")
    assert "asks to drain" not in service.ask("status")
