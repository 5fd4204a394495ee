"""contrib/kubernetes against Kubernetes' own schemas, and against what belongs together."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from plancton.config.load import load_text
from plancton.service.process.paths import system_paths
from tests.examples.image import ROOT
from tests.examples.tools import tool

MANIFEST = ROOT / "contrib/kubernetes/plancton.yaml"
PACKAGE = "kubernetes-validate==1.37.0"


@pytest.fixture(scope="module")
def things() -> dict[str, Any]:
    """Return what the manifest describes, by kind."""
    return {each["kind"]: each for each in yaml.safe_load_all(MANIFEST.read_text())}


@pytest.fixture
def pod(things: dict[str, Any]) -> dict[str, Any]:
    """Return the pod's specification."""
    spec: dict[str, Any] = things["DaemonSet"]["spec"]["template"]["spec"]
    return spec


def validated(file: Path, version: str) -> subprocess.CompletedProcess[str]:
    """Check a manifest strictly: no key that a version of Kubernetes does not know."""
    command = [tool("kubernetes-validate", PACKAGE), "--strict", "-k", version, str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("version", ["1.25", "1.37"])
def test_kubernetes_schema_holds(version: str) -> None:
    """An old and a new one."""
    done = validated(MANIFEST, version)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("passed") == 3


def test_the_check_finds_a_wrong_key(tmp_path: Path) -> None:
    """Otherwise it would prove nothing."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(MANIFEST.read_text().replace("hostPID:", "hostPid:"))
    done = validated(wrong, "1.37")
    assert done.returncode != 0
    assert "hostPid" in done.stdout + done.stderr


def test_the_parts_belong_together(things: dict[str, Any], pod: dict[str, Any]) -> None:
    """Selector and labels, mounts and volumes, names of things: what no schema sees."""
    spec = things["DaemonSet"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    (container,) = pod["containers"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert {each["name"] for each in container["volumeMounts"]} == set(volumes)
    assert volumes["config"]["configMap"]["name"] == things["ConfigMap"]["metadata"]["name"]
    namespace = things["Namespace"]["metadata"]["name"]
    for kind in ("ConfigMap", "DaemonSet"):
        assert things[kind]["metadata"]["namespace"] == namespace


def test_it_runs_as_the_container_of_one_node_does(pod: dict[str, Any]) -> None:
    """The same folders, rights and namespaces as contrib/compose.yaml, but for the log."""
    compose = yaml.safe_load((ROOT / "contrib/compose.yaml").read_text())["services"]["plancton"]
    (container,) = pod["containers"]
    rights = container["securityContext"]["capabilities"]
    assert (rights["drop"], rights["add"]) == (compose["cap_drop"], compose["cap_add"])
    assert pod["hostNetwork"] is (compose["network_mode"] == "host")
    assert pod["hostPID"] is (compose["pid"] == "host")
    places = {each["mountPath"] for each in container["volumeMounts"]}
    wanted = {each.split(":")[1] for each in compose["volumes"]}
    assert wanted - places == {"/var/log/plancton"}
    for each in pod["volumes"]:
        host = each.get("hostPath", {}).get("path")
        (mount,) = (m for m in container["volumeMounts"] if m["name"] == each["name"])
        assert host in (None, mount["mountPath"])
    assert str(system_paths().rundir) in places


def test_its_configuration_is_that_of_every_fleet(things: dict[str, Any]) -> None:
    """One that Plancton reads, and the same as contrib/fleet.yaml."""
    (text,) = things["ConfigMap"]["data"].values()
    load_text(text, "plancton.yaml")
    assert yaml.safe_load(text) == yaml.safe_load((ROOT / "contrib/fleet.yaml").read_text())
