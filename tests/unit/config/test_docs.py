"""What the pages print is what the program takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from plancton.config import legacy
from plancton.config.config_file import ConfigFile
from plancton.config.load import load_text
from plancton.config.schema import Config

ROOT = Path(__file__).parents[3]
PAGES = [
    page
    for folder in (".", "docs", "examples", "contrib")
    for page in sorted((ROOT / folder).glob("*.md" if folder == "." else "**/*.md"))
]
OTHER_PROGRAMS = {"scrape_configs"}
"""First keys of files that are not Plancton's."""
REQUIRED: dict[str, dict[str, Any]] = {
    "monitor.influxdb": {"url": "http://db.example#plancton"},
    "monitor.elasticsearch": {"url": "http://db.example"},
    "protect.slo": {"name": "p99", "limit": 1, "command": ["/bin/p99"]},
    "match": {"set": {"node": {"drain": True}}},
}


def _blocks() -> Iterator[Any]:
    for page in PAGES:
        text = page.read_text()
        for found in re.finditer(r"^( *)```yaml\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL):
            indent = len(found[1])
            body = "\n".join(line[indent:] for line in found[2].splitlines())
            line = text[: found.start()].count("\n") + 2
            yield pytest.param(body, id=f"{page.relative_to(ROOT)}:{line}")


@pytest.mark.parametrize("block", _blocks())
def test_each_example_of_a_configuration_loads(block: str) -> None:
    """As the local file, without a warning."""
    if set(yaml.safe_load(block)) <= OTHER_PROGRAMS:
        return
    loaded = load_text(block, "example")
    assert not loaded.warnings


def _printed_defaults() -> Iterator[Any]:
    page = (ROOT / "docs/config.md").read_text().partition("<!-- reference -->")[2]
    for part in page.split("\n## ")[1:]:
        title = part.partition("\n")[0]
        if title == "Names in expressions":
            continue
        for path in title.replace(" (a list of profiles)", "").split(", "):
            for key, default in re.findall(r"^\| `(\w+)` \| `(.*?)` \|", part, re.MULTILINE):
                yield pytest.param(path, key, default, id=f"{path}.{key}")


@pytest.mark.parametrize(("path", "key", "default"), _printed_defaults())
def test_each_printed_default_means_the_default(path: str, key: str, default: str) -> None:
    """Copied from the page it changes nothing."""
    group, _, _ = path.partition(" (")
    needed = {k: v for k, v in REQUIRED.get(group, {}).items() if k != key}
    if (group, key) == ("protect.slo", "command"):  # one source must be there
        needed["http"] = "http://127.0.0.1/p99"
    text = yaml.safe_dump(needed, default_flow_style=False) if needed else ""
    assert _in_group(path, f"{text}{key}: {default}\n") == _in_group(path, text)


def _in_group(path: str, text: str) -> Config:
    """Load *text* as the keys of one group."""
    group, _, is_list = path.partition(" (")
    lines = text.splitlines()
    if is_list or group == "pilots":
        lines = [("- " if i == 0 else "  ") + line for i, line in enumerate(lines)]
    depth = len(group.split("."))
    heads = ["  " * i + f"{name}:" for i, name in enumerate(group.split("."))]
    whole = [*heads, *("  " * depth + line for line in lines)] if lines else []
    return load_text("\n".join(whole), "defaults").config


def test_each_printed_default_of_0_6_0_loads(tmp_path: Path) -> None:
    """One file of the whole table, and one for each key."""
    page = (ROOT / "docs/config.md").read_text()
    table = re.findall(
        r"^\| `(\w+)` \| `(.*?)` \| ", page.partition("# Reference")[0], re.MULTILINE
    )
    assert {key for key, _ in table} == set(legacy.DEFAULTS)
    texts = [f"{key}: {value}" for key, value in table]
    for text in [*texts, "\n".join(texts)]:
        (tmp_path / "config.yaml").write_text(text)
        state = ConfigFile(tmp_path / "config.yaml", must_exist=True).first()
        assert not state.error
        assert load_text(text, "x").legacy
