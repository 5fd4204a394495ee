"""Orders of the operator are files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from plancton.engine.model.operator import Mode
from plancton.service.marker_files import MarkerFiles


@pytest.mark.parametrize(
    ("orders", "mode", "after"),
    [
        ([], Mode.ACTIVE, Mode.ACTIVE),
        ([Mode.DRAINING], Mode.DRAINING, Mode.DRAINING),
        ([Mode.DRAINING, Mode.STOPPING], Mode.STOPPING, Mode.DRAINING),
        ([Mode.STOPPING, Mode.DRAINING], Mode.STOPPING, Mode.DRAINING),
        ([Mode.FORCED, Mode.STOPPING], Mode.FORCED, Mode.ACTIVE),
        ([Mode.DRAINING, Mode.STOPPING, Mode.ACTIVE], Mode.ACTIVE, Mode.ACTIVE),
        ([Mode.FORCED, Mode.ACTIVE, Mode.DRAINING], Mode.DRAINING, Mode.DRAINING),
    ],
)
def test_orders_add_up_and_resume_takes_all_back(
    tmp_path: Path, orders: list[Mode], mode: Mode, after: Mode
) -> None:
    """No request is lost; one that was carried out is forgotten, a plain drain stays."""
    markers = MarkerFiles(tmp_path / "run")
    for order in orders:
        markers.order(order)
    assert markers.mode() is mode
    markers.fulfilled(mode)
    assert markers.mode() is after


def test_a_cleaner_takes_no_order_back(tmp_path: Path) -> None:
    """While the folder is not in place the orders seen last hold; then they are written again."""
    there = True
    markers = MarkerFiles(tmp_path / "run", lambda: there)
    markers.order(Mode.DRAINING)
    assert markers.mode() is Mode.DRAINING
    there = False
    shutil.rmtree(tmp_path / "run")
    assert markers.mode() is Mode.DRAINING
    markers.keep()
    there = True
    assert markers.mode() is Mode.DRAINING
    markers.restore()
    assert (tmp_path / "run" / "drain").exists()
    (tmp_path / "run" / "drain").unlink()
    assert markers.mode() is Mode.ACTIVE
