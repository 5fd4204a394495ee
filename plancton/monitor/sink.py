"""What takes records and stores them: a database, as its delivery queue sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class UnavailableError(Exception):
    """The target takes nothing now, and may later. Says why."""

    def __init__(self, text: str, retry_after: float = 0.0) -> None:
        """*retry_after*: seconds the target asks to be let alone."""
        super().__init__(text)
        self.retry_after = retry_after


class RejectedError(Exception):
    """The target will never take these records as they are. Says why."""

    def __init__(self, text: str, *, too_large: bool = False) -> None:
        """*too_large*: together they are more than it takes at once."""
        super().__init__(text)
        self.too_large = too_large


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of records that were sent; the rest of them was stored."""

    refused: int = 0
    retry: tuple[str, ...] = ()
    """To be sent once more, later."""
    error: str = ""


class MetricsSink(Protocol):
    """Where records go. Used by one thread at a time."""

    name: str
    """Without credentials."""

    def send(self, records: list[str]) -> SendResult:
        """Store them. Sending the same record twice stores it once.

        Raises UnavailableError, RejectedError.
        """
