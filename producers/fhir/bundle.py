"""The resources of one request and how references between them resolve.

Comes in: the bytes or decoded JSON of a Bundle or a bare ServiceRequest. Goes out: a Graph.
Must never look outside the request: a reference either resolves inside it, or it does not.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from producers.fhir.reading import Issues, Node

BUNDLE_TYPES = ("transaction", "batch", "collection", "message")
MAX_ENTRIES = 2000
MAX_REFERENCE = 300  # what can be a type and an id at the end of a reference
_TYPE_AND_ID = re.compile(r"([A-Z][A-Za-z]{1,63}/[A-Za-z0-9.\-]{1,200})$")


class Resource(Node):
    """A resource with the fullUrl it came under; `container` is the one that contains it, else itself."""

    __slots__ = ("container", "full_url")

    def __init__(
        self,
        value: dict[str, Any],
        path: str,
        issues: Issues,
        full_url: str | None = None,
        container: "Resource | None" = None,
    ) -> None:
        super().__init__(value, path, issues)
        self.full_url = full_url
        self.container = container or self

    @property
    def type(self) -> str:
        return self.text("resourceType") or ""

    @property
    def id(self) -> str | None:
        """The resource's id, else the last part of its fullUrl."""
        return self.text("id") or (tail(self.full_url) if self.full_url else None)

    def contained(self) -> list["Resource"]:
        return [Resource(n.value, n.path, self.issues, None, self) for n in self.children("contained")]


class Graph:
    """All resources of a request, in order; `kind` is the Bundle's type, empty for a bare ServiceRequest."""

    def __init__(self, resources: list[Resource], issues: Issues, kind: str = "") -> None:
        self.resources = resources
        self.kind = kind
        self.issues = issues
        self._index: dict[str, list[Resource]] = {}
        # Looked up once: a hostile request must not make resources x references steps of work.
        self._contained: dict[int, dict[str, list[Resource]]] = {}
        self._about: dict[tuple[str, str], dict[int | None, list[Resource]]] = {}
        for resource in resources:
            for key in set(_keys(resource)):
                self._index.setdefault(key, []).append(resource)

    def all(self, *types: str) -> list[Resource]:
        return [r for r in self.resources if r.type in types]

    def about(self, kind: str, field: str, patient: Resource) -> list[Resource]:
        """The resources of a type whose reference `field` is this Patient, or that name no one of several."""
        if (kind, field) not in self._about:
            grouped: dict[int | None, list[Resource]] = {}
            for resource in self.all(kind):
                whose = self.find(resource, resource.child(field))
                grouped.setdefault(id(whose.value) if whose else None, []).append(resource)
            self._about[kind, field] = grouped
        grouped = self._about[kind, field]
        unnamed = grouped.get(None, []) if len(self.all("Patient")) <= 1 else []
        return [*grouped.get(id(patient.value), []), *unnamed]

    def find(self, owner: Resource, reference: Node) -> Resource | None:
        """What a Reference of `owner` points at inside this request; None when it points outside."""
        target = reference.text("reference")
        if target is None:
            return None
        if target.startswith("#"):
            return self._only(reference, self._contained_in(owner.container).get(target[1:], []))
        target = target.split("/_history/")[0]
        exact = self._index.get(_folded(target)) or self._index.get(_on_base_of(owner, target))
        return self._only(reference, exact or self._by_type_and_id(target))

    def need(self, owner: Resource, name: str, wanted: str) -> Resource | None:
        """Like find, but a reference that is missing or points outside is an issue."""
        reference = owner.child(name)
        if not reference:
            self.issues.add(reference.path, f"is required; point it at {wanted} of this request", "required")
            return None
        found = self.find(owner, reference)
        if found is None:
            self.issues.add(
                reference.path,
                f"does not resolve inside the request; include {wanted} it points at",
                "not-found",
            )
        return found

    def _contained_in(self, container: Resource) -> dict[str, list[Resource]]:
        key = id(container.value)
        if key not in self._contained:
            found: dict[str, list[Resource]] = {}
            for resource in container.contained():
                found.setdefault(resource.text("id") or "", []).append(resource)
            self._contained[key] = found
        return self._contained[key]

    def _by_type_and_id(self, target: str) -> list[Resource]:
        match = _TYPE_AND_ID.search(target[-MAX_REFERENCE:])
        if match is None or target.startswith("urn:"):
            return []
        found = self._index.get(match[1], [])
        if target == match[1]:
            return found
        # An absolute reference must not pick up the same id of another server.
        return [r for r in found if not (r.full_url or "").startswith("http")]

    def _only(self, reference: Node, found: list[Resource]) -> Resource | None:
        if len(found) > 1:
            self.issues.add(
                reference.path, "matches several resources; give each its own fullUrl", "multiple-matches"
            )
        return found[0] if found else None


def read(body: bytes | dict[str, Any], issues: Issues) -> Graph:
    """The graph of a request; raises FhirProblem when it is neither a Bundle nor a ServiceRequest."""
    value = _decoded(body, issues)
    match value.get("resourceType"):
        case "ServiceRequest":
            return Graph([Resource(value, "ServiceRequest", issues)], issues)
        case "Bundle":
            bundle = Node(value, "Bundle", issues)
            return Graph(list(_entries(bundle, issues)), issues, bundle.text("type") or "")
    issues.add(
        "resourceType", "send a Bundle, or a ServiceRequest with its Patient contained", "not-supported"
    )
    issues.stop_if_any()
    raise AssertionError("unreachable: an issue was just added")


def tail(url: str) -> str:
    """The last part of a reference or fullUrl: `p1` of `Patient/p1`, the uuid of `urn:uuid:...`."""
    return re.split(r"[/:#]", url)[-1]


def _decoded(body: bytes | dict[str, Any], issues: Issues) -> dict[str, Any]:
    value: Any = body
    if isinstance(body, bytes | bytearray | memoryview):
        try:
            value = msgspec.json.decode(bytes(body).removeprefix(b"\xef\xbb\xbf"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            issues.add("Bundle", f"is not JSON in UTF-8 ({error}); send FHIR R4 JSON", "structure")
    if not isinstance(value, dict):
        issues.add("Bundle", "send one JSON object: a Bundle or a ServiceRequest", "structure")
    issues.stop_if_any()
    return dict(value)


def _entries(bundle: Node, issues: Issues) -> Iterator[Resource]:
    if bundle.text("type") not in BUNDLE_TYPES:
        issues.add("Bundle.type", f"use one of {', '.join(BUNDLE_TYPES)}", "value")
    entries = bundle.children("entry")
    if len(entries) > MAX_ENTRIES:
        issues.add("Bundle.entry", f"more than {MAX_ENTRIES} entries; send several Bundles", "too-costly")
        issues.stop_if_any()
    for entry in entries:
        method = entry.child("request").text("method")
        if method not in (None, "POST", "PUT"):
            issues.add(f"{entry.path}.request.method", "only POST and PUT are done here", "not-supported")
        resource = entry.child("resource")
        if not resource:
            issues.add(resource.path, "is required; leave out entries without one", "required")
        yield Resource(resource.value, resource.path, issues, entry.text("fullUrl"))


def _keys(resource: Resource) -> Iterator[str]:
    if resource.full_url:
        yield _folded(resource.full_url)
        if match := _TYPE_AND_ID.search(resource.full_url[-MAX_REFERENCE:]):
            yield match[1]
    if (id := resource.text("id")) and resource.type:
        yield f"{resource.type}/{id}"


def _folded(url: str) -> str:
    return url.lower() if url.lower().startswith("urn:") else url


def _on_base_of(owner: Resource, target: str) -> str:
    """A relative reference as its owner's server would write it in full."""
    base = (owner.container.full_url or "").rsplit("/", 2)[0]
    return f"{base}/{target}"
