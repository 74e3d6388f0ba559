"""The report of an import: rows read and loaded, and every problem with what to do next.

Comes in: notes of the readers. Goes out: the JSON of `refex import-directory` (interfaces.md).
"""

from collections import Counter
from typing import Any

MAX_PROBLEMS = 10_000


class Listing:
    """What the files list, whether or not it could be loaded: by this an import knows what is listed no more.

    `source` = the package's own name, None where it has none; `organizations` = our ids of those listed whole.
    """

    def __init__(self) -> None:
        self.source: str | None = None
        self.ids: set[str] = set()
        self.organizations: set[str] = set()
        self.unread = False

    def service(self, row: Any) -> None:
        """A service was there; one without an id leaves open which."""
        id = row.get("id") if isinstance(row, dict) else None
        if isinstance(id, str | int) and str(id).strip():
            self.ids.add(str(id).strip())
        else:
            self.unread = True

    @property
    def whole(self) -> bool:
        """Whether all could be read, and it is known of every service that was there which one it is."""
        return bool(self.organizations and self.ids) and not self.unread


class Report:
    """Counts per table, and problems with their place: file, row (from 1), field."""

    def __init__(self) -> None:
        self.read: Counter[str] = Counter()
        self.loaded: Counter[str] = Counter()
        self.problems: list[dict[str, Any]] = []
        self.unlisted = 0
        self.listing = Listing()
        self.terms: set[str] = set()

    def problem(self, where: "Where", field: str, problem: str, next: str) -> None:  # noqa: A002 - its name there
        if len(self.problems) < MAX_PROBLEMS:
            texts = {"field": field, "problem": problem, "next": next}
            row = {"file": _sendable(where.file), "row": where.row}
            self.problems.append(row | {key: _sendable(text) for key, text in texts.items()})
        else:
            self.unlisted += 1

    def as_json(self) -> dict[str, Any]:
        rest = {
            "file": "",
            "row": 0,
            "field": "",
            "problem": f"{self.unlisted} more problems are not listed",
            "next": "correct these and import again",
        }
        problems = [*self.problems, rest] if self.unlisted else self.problems
        return {"read": dict(self.read), "loaded": dict(self.loaded), "problems": problems}


def _sendable(text: str) -> str:
    """Text that came from bytes that are not UTF-8 can be printed too."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class Where:
    """The place of a record in what was read; `said` notes a problem there."""

    __slots__ = ("file", "prefix", "report", "row")

    def __init__(self, report: Report, file: str, row: int, prefix: str = "") -> None:
        self.report = report
        self.file = file
        self.row = row
        self.prefix = prefix

    def inside(self, path: str) -> "Where":
        """The same place, with fields named from there on by their path."""
        return Where(self.report, self.file, self.row, self.prefix + path)

    def said(self, field: str, problem: str, next: str) -> None:  # noqa: A002 - its name in the report
        self.report.problem(self, self.prefix + field, problem, next)
