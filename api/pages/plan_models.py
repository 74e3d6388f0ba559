"""What the plan page shows: funnel, measures against targets, needs, members; each number with its list.

Comes in: rows and figures of referrals.measures, members' referrals. Goes out: template models. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from api.pages import marks, when
from api.pages.funnel import funnel
from api.pages.show import Model, Show, View
from referrals import labels
from referrals.measures import Counted, Definition, Measured, Row

BASE = "/mco/referrals"
HEADINGS = ("member", "need", "status", "changed", "holder", "reason")
LIST_HEADINGS = ("member", "need", "status", "received", "counted", "hours-heading")
Span = Mapping[str, str]


def plan(show: Show, title: str, span: Span, rows: Sequence[Row]) -> Model:
    """The funnel and the table by kind of help, from the same rows as the measures; `span` = the page's query."""
    return {
        "title": show.text("mco.heading"),
        "live": True,
        "contract_title": title,
        "contract": span["contract"],
        "range_from": span["from"],
        "range_to": span["to"],
        "funnel": funnel(show.text, _counts(rows)),
        "domains": by_need(show, rows),
        "headings": [show.text(f"mco.{h}") for h in HEADINGS],
    }


def by_need(show: Show, rows: Sequence[Row]) -> list[Model]:
    """One row per kind of help, the most wanted first."""
    names = {d: _kind(show, d) for d in {r.domain for r in rows}}
    made = [
        {"need": name, **_counts([r for r in rows if names[r.domain] == name])}
        for name in set(names.values())
    ]
    return sorted(made, key=lambda d: (-d["received"], d["need"]))


def _kind(show: Show, domain: str) -> str:
    """The name of a kind of help; those whose need is masked are counted together without one."""
    if labels.is_masked(labels.holding((), domain), None):
        return show.text("need.private")
    return show.text.label("domains", domain)


def _counts(rows: Sequence[Row]) -> dict[str, int]:
    """The steps of the funnel: each is a part of the one before."""
    accepted = [r for r in rows if r.accepted_at is not None]
    closed = sum(r.closed_at is not None for r in accepted)
    return {"received": len(rows), "accepted": len(accepted), "closed": closed}


def tile(show: Show, measure: Measured, definition: Definition, span: Span, api: str) -> Model:
    """One measure: its value, whether the target is met, where its list is; `api` = the CSV's address."""
    text, hours = show.text, definition.kind == "quantile"
    target = text("mco.no-target")
    if measure.target is not None:
        key = "mco.target-hours" if hours else "mco.target-share"
        target = text(key, target=value(show, definition.kind, measure.target))
    counts = {"quantile": "mco.based", "count": "mco.total"}.get(definition.kind, "mco.counts")
    said = [text(counts, numerator=measure.numerator, denominator=measure.denominator)]
    if definition.kind == "share" and measure.immature:
        said.append(text("mco.immature", n=measure.immature))
    return {
        "id": measure.id,
        "title": text(f"measure-title.{measure.id}")
        if text.knows("measure-title", measure.id)
        else measure.title,
        "value": value(show, definition.kind, measure.value),
        "mark": marks.verdict(text, measure.met),
        "target": target,
        "counts": ", ".join(said),
        "definition": text(f"measure.{measure.id}", mature=f"{definition.mature_hours:.0f}")
        if text.knows("measure", measure.id)
        else measure.title,
        "code": text("mco.code", id=measure.id, version=measure.version),
        "list_href": f"/mco/measures/{measure.id}?{urlencode(dict(span))}",
        "csv_href": api,
    }


def value(show: Show, kind: str, number: float | None) -> str:
    """A measure's number as people read it; a dash where there is nothing to count."""
    if number is None:
        return show.text("mco.nothing")
    if kind == "quantile" and number < 1:
        return show.text("mco.minutes", n=f"{60 * number:.0f}" if number > 1 / 60 else "<1")
    if kind == "quantile":
        return show.text("mco.hours", n=f"{number:.1f}".removesuffix(".0"))
    return f"{number:.0f}" if kind == "count" else f"{100 * number:.0f}%"


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


def behind(
    show: Show, tile: View, span: Span, counted: Sequence[Counted], referrals: Iterable[View], cursors: Model
) -> Model:
    """The referrals behind one number, and how each counts in it."""
    found = list(referrals)
    known: Mapping[str, Any] = {r["id"]: r for r in members(show, found)}
    return {
        "title": tile["title"],
        "back": {"href": f"/mco?{urlencode(dict(span))}", "label": show.text("mco.back")},
        "definition": tile["definition"],
        "lead": tile["counts"],
        "csv_href": tile["csv_href"],
        "headings": [show.text(f"mco.{h}") for h in LIST_HEADINGS],
        "rows": [_behind(show, c, known.get(str(c.referral))) for c in counted],
        **show.beside(*found),
        **cursors,
    }


def _behind(show: Show, c: Counted, row: View | None) -> Model:
    key = "mco.hit" if c.hit else "mco.too-recent" if c.immature else "mco.miss"
    received = when.moment(show.text, c.received_at, show.now)
    return {
        "href": row["href"] if row else "",
        "cells": [
            row["member"] if row else str(c.referral)[:8],
            row["need"] if row else "",
            row["status"]["word"] if row else "",
            received["absolute"] if received else "",
            show.text(key),
            "" if c.hours is None else f"{c.hours:.1f}",
        ],
    }
