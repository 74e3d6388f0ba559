"""What every event type has in common; the types stand in files by what they are about, their union in events.py."""

from msgspec import Struct


class EventBase(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """The base of every event type; its tag is the `type` that outsiders read."""
