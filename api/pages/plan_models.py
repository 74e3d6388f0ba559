"""What the plan page shows: funnel, measures against targets, needs, members; each number with its list.

Comes in: counts, measures (interfaces.md, Measures), members' referrals. Goes out: template models. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from api.pages import marks
from api.pages.funnel import funnel
from api.pages.show import Model, Show, View

BASE = "/mco/referrals"
HEADINGS = ("member", "need", "status", "changed", "holder", "reason")


def plan(
    show: Show, title: str, span: Mapping[str, str], counts: Mapping[str, int], domains: Iterable[View]
) -> Model:
    """The funnel, and the table by kind of help; `span` = contract, from, to."""
    return {
        "title": show.text("mco.heading"),
        "live": True,
        "contract_title": title,
        "contract": span["contract"],
        "range_from": span["from"],
        "range_to": span["to"],
        "funnel": funnel(show.text, counts),
        "domains": [dict(d) | {"need": show.text.label("domains", d["domain"])} for d in domains],
        "csv_href": f"/v1/contracts/{span['contract']}/measures.csv?{query(span)}",
        "headings": [show.text(f"mco.{h}") for h in HEADINGS],
    }


def tile(show: Show, measure: View, span: Mapping[str, str], definition: str = "") -> Model:
    """One measure: its value, whether the target is met, and where its list is."""
    text, hours, id = show.text, is_hours(measure), str(measure["id"])
    target = measure.get("target")
    said = value(show, target, hours)
    api = f"/v1/contracts/{span['contract']}/measures/{id}/referrals.csv?{query(span)}"
    counts = "mco.based" if hours else "mco.counts"
    parts = [text(counts, numerator=measure["numerator"], denominator=measure["denominator"])]
    parts += [text(f"mco.{k}", n=measure[k]) for k in ("immature", "excluded") if measure.get(k)]
    return {
        "id": id,
        "title": str(measure.get("title") or id),
        "value": value(show, measure.get("value"), hours),
        "mark": marks.verdict(text, measure.get("met")),
        "target": text("mco.target-hours" if hours else "mco.target-share", target=said)
        if target is not None
        else text("mco.no-target"),
        "counts": ", ".join(parts),
        "definition": definition or str(measure.get("title") or id),
        "code": text("mco.code", id=id, version=measure.get("version", "")),
        "list_href": f"/mco/measures/{id}?{urlencode(dict(span))}",
        "csv_href": api,
    }


def is_hours(measure: View) -> bool:
    """Whether a measure is a length of time and not a share."""
    return measure.get("unit") == "hours" or str(measure["id"]).startswith("time-")


def value(show: Show, number: Any, hours: bool) -> str:
    """A measure's number as people read it; a dash where there is nothing to count."""
    if number is None:
        return show.text("mco.nothing")
    return show.text("mco.hours", n=f"{number:.1f}".removesuffix(".0")) if hours else f"{100 * number:.0f}%"


def members(show: Show, referrals: Iterable[View]) -> list[Model]:
    """The table of members' referrals: status, since when, with whom, reason of closure."""
    rows = []
    for referral in referrals:
        made, hop = show.summary(referral, BASE), show.hop(referral)
        coverage = referral.get("coverage") or {}
        member = made["person"] or str(coverage.get("member_id") or "") or str(referral["id"])[:8]
        holder = show.organization(hop["organization"]) if hop else show.text("exchange")
        reason = show.reason(str(referral["status"]), show.code(referral))
        rows.append(made | {"member": member, "holder": holder, "reason": reason or show.text("mco.nothing")})
    return rows


def query(span: Mapping[str, str]) -> str:
    """The date range as the API's query."""
    return urlencode({k: span[k] for k in ("from", "to") if span.get(k)})


LIST_HEADINGS = ("member", "need", "status", "changed", "holder")


def behind(show: Show, tile: View, span: Mapping[str, str], referrals: Iterable[View], cursors: Model) -> Model:
    """The referrals behind one number."""
    rows = [
        {
            "href": row["href"],
            "cells": [row["member"], row["need"], row["status"]["word"], row["changed"]["absolute"], row["holder"]],
        }
        for row in members(show, referrals)
    ]
    return {
        "title": tile["title"],
        "back": {"href": f"/mco?{urlencode(dict(span))}", "label": show.text("mco.back")},
        "definition": tile["definition"],
        "lead": tile["counts"],
        "csv_href": tile["csv_href"],
        "headings": [show.text(f"mco.{h}") for h in LIST_HEADINGS],
        "rows": rows,
        **cursors,
    }
