"""Orders of the operator are files."""

from __future__ import annotations

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
