"""Which of the images that Plancton brought nothing needs any more. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from plancton.engine.model.pulled_image import PulledImage

SETTLE = 10.0
"""Seconds for which a superseded image stays: a start that began with it is over by then."""
UNWANTED_FOR = 86400.0
"""Seconds for which the images of a reference stay that left the configuration: who edits it back
and forth, or tries another tag for an afternoon, pulls nothing twice."""
_MOST = 500
"""Images remembered; the oldest beyond are never removed."""

Pulled = tuple[PulledImage, ...]
"""Oldest first."""


def after_pull(
    pulled: Pulled, reference: str, before: frozenset[str], was: str | None, now: str | None
) -> Pulled:
    """Return what is ours after a pull of *reference*, which meant *was* and means *now*.

    *before* are the IDs of all images that were on the node when the pull began.
    """
    there = tuple(image for image in pulled if image.id in before)
    if now is None or now in before:
        return there
    named = was is None or any(image.id == was and image.named for image in there)
    return (*there, PulledImage(now, reference, named))[-_MOST:]


def mark(pulled: Pulled, wanted: Mapping[str, str | None], wall: float) -> Pulled:
    """Note since when images are superseded or unwanted.

    *wanted* has what each reference of the configuration means now; None: not known.
    """
    return tuple(_mark(image, wanted, wall) for image in pulled)


def _mark(image: PulledImage, wanted: Mapping[str, str | None], wall: float) -> PulledImage:
    if image.reference not in wanted:
        return replace(image, unwanted_at=_earlier(image.unwanted_at, wall))
    means = wanted[image.reference]
    if means is None or means == image.id:
        return replace(image, superseded_at=None, unwanted_at=None)
    superseded = _earlier(image.superseded_at, wall)
    return replace(image, superseded_at=superseded, unwanted_at=None)


def _earlier(at: float | None, wall: float) -> float:
    return wall if at is None else min(at, wall)  # the clock may have been set back


def removable(pulled: Pulled, keep: int, pinned: frozenset[str], wall: float) -> Pulled:
    """Return what may go now, if nobody else needs it.

    *keep* superseded ones of each reference stay. *pinned* are IDs of images that starts may ask
    for.
    """
    kept = _newest_superseded(pulled, keep)
    return tuple(
        image
        for image in pulled
        if image.id not in pinned and image.id not in kept and _is_over(image, wall)
    )


def _is_over(image: PulledImage, wall: float) -> bool:
    if image.unwanted_at is not None:
        return wall - image.unwanted_at >= UNWANTED_FOR
    return image.superseded_at is not None and wall - image.superseded_at >= SETTLE


def _newest_superseded(pulled: Pulled, keep: int) -> frozenset[str]:
    by_reference: dict[str, list[str]] = {}
    for image in pulled:
        if image.superseded_at is not None and image.unwanted_at is None:
            by_reference.setdefault(image.reference, []).append(image.id)
    return frozenset(id_ for ids in by_reference.values() for id_ in ids[len(ids) - keep :] if keep)


@dataclass(frozen=True, slots=True)
class OnNode:
    """What the engine says of one image."""

    tags: tuple[str, ...]
    digests: tuple[str, ...]
    """As ``repository@sha256:...``."""
    means: str | None
    """ID of the image that its reference means now."""


def name_to_remove(image: PulledImage, on_node: OnNode) -> str | None:
    """Return by which name to remove an image; None if somebody else calls it by one of theirs.

    The last name of an image takes the image with it. So what somebody calls it in the meantime
    keeps it, where its removal by ID would take that name, too.
    """
    ours = image.reference if image.unwanted_at and image.named else None
    has_our_name = ours is not None and on_node.means == image.id
    repositories = {digest.partition("@")[0] for digest in on_node.digests}
    if len(on_node.tags) > (1 if has_our_name else 0) or len(repositories) > 1:
        return None
    if on_node.tags:
        return ours
    return on_node.digests[0] if on_node.digests else image.id
