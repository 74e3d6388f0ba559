"""What the embedded exchange says when a part of it cannot run: every message ends with what to do next.

Never raised for a part that died later: such a part is started again by its supervisor.
"""


class EmbeddedError(RuntimeError):
    """The embedded exchange cannot start; the message says why and what to do."""


class DataDirInUseError(EmbeddedError):
    """Another exchange holds the data directory; two would destroy each other's data."""


class ChildFailedError(EmbeddedError):
    """A child process died or stayed silent while it was started; the message holds the tail of its log."""
