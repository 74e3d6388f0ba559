"""Why this organization: the routing decision explained, with whom the rules left out.

Comes in: the decision (interfaces.md, Routing). Goes out: the dict that _candidates.html draws. Pure.
"""

from collections.abc import Mapping
from typing import Any

from api.pages import when
from api.pages.show import Model, Show, View
from referrals.wanted import policy

MILES = 0.621371


def routing(show: Show, decision: View | None) -> Model | None:
    """The decision as a sentence, its candidates and counts of others; None when there was none."""
    if not decision:
        return None
    candidates = [candidate(show, c, decision.get("chosen")) for c in decision.get("candidates") or []]
    chosen = next((c for c in candidates if c["chosen"]), None)
    fit = sum(not c["excluded"] for c in candidates)
    if chosen is None:
        sentence = show.text("routing.none")
    elif fit == 1:
        sentence = show.text("routing.only", organization=chosen["organization"])
    else:
        sentence = show.text("routing.best", organization=chosen["organization"], n=fit)
    return {
        "sentence": sentence,
        "candidates": candidates,
        "others": [
            f"{show.text.of('rule', rule)}: {count}"
            for rule, count in (decision.get("others_excluded") or {}).items()
        ],
        "policy": str(decision.get("policy") or ""),
        "when": when.moment(show.text, decision.get("decided_at"), show.now),
    }


def candidate(show: Show, row: View, chosen: Any = None) -> Model:
    """One candidate: who, whether chosen or excluded, and why in words."""
    excluded = row.get("excluded_by")
    is_chosen = chosen is not None and str(row["service"]) == str(chosen)
    return {
        "id": str(row["service"]),
        "organization": show.organization(row.get("organization")),
        "service": show.service(row["service"]),
        "chosen": is_chosen,
        "excluded": bool(excluded),
        "reason": rule(show, excluded) if excluded else advantages(show, row, is_chosen),
    }


def rule(show: Show, excluded: Mapping[str, Any]) -> str:
    """Why a rule left a service out; the rule's own words only when it is new to us."""
    code = str(excluded.get("rule") or "")
    return (
        show.text.of("rule", code) if show.text.knows("rule", code) else str(excluded.get("detail") or code)
    )


def advantages(show: Show, row: View, is_chosen: bool = False) -> str:
    """What speaks for a service: distance, free staff, the sender's wish."""
    parts = dict(row.get("parts") or {})
    said = [show.text("routing.chosen")] if is_chosen else []
    if (share := parts.get("distance")) is not None:
        miles = policy().half_distance_km * (1 / share - 1) * MILES if share > 0 else 0.0
        said.append(show.text("routing.distance", miles=f"{miles:.1f}"))
    if (load := parts.get("load")) is not None:
        key = "routing.free" if load >= 0.66 else "routing.some-load" if load >= 0.33 else "routing.busy"
        said.append(show.text(key))
    if parts.get("preference"):
        said.append(show.text("routing.preferred"))
    return ", ".join(said) or show.text("routing.fits")
