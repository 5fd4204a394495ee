"""The owner's own objectives: ``protect.slo``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from plancton.config.schema.figure import Figure
from plancton.config.schema.types import Duration, Step


class Objective(Figure):
    """A figure that is to stay within a limit, for example the latency of the owner's service.

    One key says where it comes from: command, http, prometheus or waited.
    """

    waited: bool = False
    """The figure is the time that the tasks of the foreground wait for a core, in milliseconds
    a second. Plancton measures it itself."""
    limit: float
    """Above it pilots give way, one at a time."""
    unit: Annotated[str, Field(pattern=r"^\S{0,12}$")] = ""
    """The figure's unit, only shown."""
    step: Step = "freeze"
    """What is done above the limit: stop starting pilots, freeze one or end one, and one more each
    time it lasts anew; off: it is only shown."""
    after: Annotated[Duration, Field(ge=0)] = 20.0
    """How long it must last before a pilot is frozen or ended."""
    recover: Annotated[Duration, Field(ge=0)] = 60.0
    """How long it must be over before a pilot goes on, and again before the next one does."""

    def known_sources(self) -> tuple[str, ...]:
        """Return the keys of which one says where the figure comes from."""
        return (*super().known_sources(), "waited")

    @property
    def shown_unit(self) -> str:
        """The figure's unit; empty: there is none."""
        return self.unit or ("ms/s" if self.waited else "")
