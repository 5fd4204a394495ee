"""The schema and the reference page are made from the model that reads."""

from __future__ import annotations

from pathlib import Path

from plancton.config import legacy
from plancton.config.reference import json_schema, reference
from plancton.config.schema import Config

ROOT = Path(__file__).parents[3]


def test_the_schema_covers_every_key_of_the_defaults() -> None:
    """It is made from the model that reads."""
    schema = json_schema()
    assert set(schema["properties"]) == set(Config.model_fields)
    assert "Profile" in schema["$defs"]


def test_the_reference_page_is_up_to_date() -> None:
    """What docs/config.md says is what the program knows."""
    page = (ROOT / "docs/config.md").read_text()
    assert reference() in page
    assert all(f"`{key}`" in page for key in legacy.DEFAULTS)
