"""What all recipes have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.conftest import ROOT

RECIPES = sorted(path.parent for path in (ROOT / "examples").glob("*/config.yaml"))
PLANCTON = str(Path(sys.executable).with_name("plancton"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_its_config_is_good(recipe: Path) -> None:
    """`plancton config check` accepts it, and warns of what only its own node has."""
    command = [PLANCTON, "config", "check", "--config", str(recipe / "config.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    remarks = done.stderr.splitlines()
    assert [line for line in remarks if "does not exist on this node" not in line] == []
    assert "OK, native form" in done.stdout


def test_the_table_lists_each_recipe() -> None:
    """No recipe is missing from examples/README.md, and each has its page and Dockerfile."""
    table = (ROOT / "examples/README.md").read_text()
    assert RECIPES
    for recipe in RECIPES:
        assert f"]({recipe.name}/README.md)" in table
        assert (recipe / "README.md").is_file()
        assert (recipe / "Dockerfile").is_file()
