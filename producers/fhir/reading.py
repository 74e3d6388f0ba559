"""Careful reading of FHIR JSON: every element knows its FHIRPath, and a wrong type is noted, not raised.

Comes in: decoded JSON of anybody. Goes out: texts, flags and child elements, empty where there is nothing.
Must never raise anything but FhirProblem, and never guess a value that was not given.
"""

from typing import Any

from msgspec import Struct

MAX_ISSUES = 50


class Issue(Struct, frozen=True):
    """One thing wrong: where (FHIRPath), what to do about it, and FHIR's issue type."""

    expression: str
    diagnostics: str
    code: str = "invalid"


class FhirProblem(ValueError):
    """The request cannot become referrals; `issues` say where and what to do."""

    def __init__(self, issues: list[Issue]) -> None:
        super().__init__("; ".join(f"{i.expression}: {i.diagnostics}" for i in issues[:MAX_ISSUES]))
        self.issues = issues[:MAX_ISSUES]


class Issues:
    """What was found wrong so far, each place and complaint once."""

    def __init__(self) -> None:
        self._found: dict[Issue, None] = {}

    def add(self, expression: str, diagnostics: str, code: str = "invalid") -> None:
        self._found[Issue(expression, diagnostics, code)] = None

    def stop_if_any(self) -> None:
        if self._found:
            raise FhirProblem(list(self._found))


class Node:
    """One JSON object of a resource; false when it is absent or empty."""

    __slots__ = ("issues", "path", "value")

    def __init__(self, value: dict[str, Any], path: str, issues: Issues) -> None:
        self.value = value
        self.path = path
        self.issues = issues

    def __bool__(self) -> bool:
        return bool(self.value)

    def _wrong(self, path: str, wanted: str) -> None:
        self.issues.add(path, f"must be {wanted}; send it so, or leave it out", "structure")

    def child(self, name: str) -> "Node":
        """The object under `name`; empty when absent or of a wrong type."""
        path = f"{self.path}.{name}"
        value = self.value.get(name)
        if value is not None and not isinstance(value, dict):
            self._wrong(path, "an object")
            value = None
        return Node(value or {}, path, self.issues)

    def children(self, name: str) -> list["Node"]:
        """The objects of the array under `name`; a single object counts as an array of one."""
        path = f"{self.path}.{name}"
        value = self.value.get(name)
        if value is None:
            return []
        if isinstance(value, dict):
            return [Node(value, path, self.issues)]
        if not isinstance(value, list):
            self._wrong(path, "an array of objects")
            return []
        found = []
        for index, item in enumerate(value):
            if isinstance(item, dict):
                found.append(Node(item, f"{path}[{index}]", self.issues))
            elif item is not None:
                self._wrong(f"{path}[{index}]", "an object")
        return found

    def text(self, name: str) -> str | None:
        """The string under `name`; None when absent, blank or of a wrong type."""
        value = self.value.get(name)
        if value is not None and not isinstance(value, str):
            self._wrong(f"{self.path}.{name}", "a string")
            return None
        return value if value and value.strip() else None

    def texts(self, name: str) -> list[str]:
        """The strings of the array under `name`; a single string counts as an array of one."""
        value = self.value.get(name)
        given = value if isinstance(value, list) else [] if value is None else [value]
        for item in given:
            if item is not None and not isinstance(item, str):
                self._wrong(f"{self.path}.{name}", "an array of strings")
        return [item for item in given if isinstance(item, str) and item.strip()]

    def flag(self, name: str) -> bool | None:
        """The boolean under `name`; None when absent or of a wrong type."""
        value = self.value.get(name)
        if value is not None and not isinstance(value, bool):
            self._wrong(f"{self.path}.{name}", "true or false")
            return None
        return value


def coded(node: Node, name: str) -> list[Node]:
    """Every coding of the CodeableConcept, or array of them, under `name`."""
    return [coding for concept in node.children(name) for coding in concept.children("coding")]


def codes(node: Node, name: str) -> list[str]:
    """Every code of the CodeableConcept, or array of them, under `name`, whatever its system."""
    return [code for coding in coded(node, name) if (code := coding.text("code"))]


def wording(node: Node, name: str) -> str | None:
    """What the sender wrote for a CodeableConcept: its text, else a display, else the code."""
    for concept in node.children(name):
        if text := concept.text("text"):
            return text
    for field in ("display", "code"):
        for coding in coded(node, name):
            if text := coding.text(field):
                return text
    return None


def filled(value: dict[str, Any]) -> dict[str, Any] | None:
    """The object without what is absent or empty; None when nothing is left."""
    return {k: v for k, v in value.items() if v is not None and v not in ([], {})} or None
