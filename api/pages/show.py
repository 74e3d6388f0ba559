"""One referral in plain words, as the caller may see it: what every list, card and page is made of.

Comes in: the referral as api.views gives it. Goes out: dicts for templates. Pure; never adds what the view left out.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from api.pages import marks, when
from api.pages.text import Text, spelled
from referrals import labels, words
from referrals.labels import MASKED
from referrals.words import TERMINAL

View = Mapping[str, Any]
Model = dict[str, Any]

# status -> the lists of reviewed codes its reason or outcome may come from; the first that knows the code explains it
REASONS = {
    "needs-review": ("review_reasons",),
    "refused": ("refusal_reasons",),
    "cancelled": ("cancel_reasons", "withdraw_reasons", "told_reasons"),
    "entered-in-error": ("cancel_reasons",),
    "on-hold": ("hold_reasons",),
    "rejected": ("reject_reasons", "withdraw_reasons"),
    "completed": ("outcomes",),
    "failed": ("outcomes",),
}


# ends that a hop brings about, or else the hub or the plan
ENDED = frozenset({"completed", "failed"})


class Show(Struct, frozen=True):
    """What turns views into words: the language, the time, the names of organizations and services."""

    text: Text
    now: datetime
    organizations: Mapping[str, str] = {}
    services: Mapping[str, str] = {}

    def organization(self, id: str | None) -> str:
        """The name of an organization; its id in plain spelling when it has no name here."""
        if id == MASKED:
            return self.text("masked")
        return self.organizations.get(id or "", spelled(id or "")) or self.text("someone")

    def service(self, id: str | None) -> str:
        """The name of a service, empty when it is not known here."""
        return self.services.get(str(id or ""), "")

    def need(self, referral: View) -> str:
        """The kind of help, for example `Food`."""
        need = referral.get("need") or {}
        domain = need.get("domain") if isinstance(need, Mapping) else str(need)
        return self.text.label("domains", domain) or self.text("need.private")

    def reason(self, status: str, code: str | None) -> str:
        """The label of the reason or outcome that goes with a status."""
        if not code or status not in REASONS:
            return ""
        lists = REASONS[status]
        return self.text.label(next((name for name in lists if code in words.table(name)), lists[0]), code)

    def hop(self, referral: View) -> View | None:
        """The hop whose turn it is, else the last one."""
        hops = referral.get("hops") or []
        open_hops = [h for h in hops if h["status"] in ("requested", "accepted", "in-progress", "on-hold")]
        found: View | None = (open_hops or list(hops) or [None])[-1]
        return found

    def due(self, referral: View) -> when.Moment | None:
        """By when the next thing must happen: an answer, the plan's decision, a start; None without a deadline."""
        hop, action = self.hop(referral), referral.get("next_action") or {}
        waiting = hop is not None and hop["status"] == "requested" and referral["status"] == "requested"
        asked = hop.get("due_at") if waiting and hop else None
        return when.due(self.text, asked or action.get("due_at"), self.now)

    def waits_for_plan(self, referral: View) -> bool:
        """Whether the health plan must approve before anything else."""
        return (referral.get("next_action") or {}).get("what") == "authorize"

    def code(self, referral: View) -> str | None:
        """The code behind the status: outcome, hold, decline, cancel or review reason."""
        outcome, hop = referral.get("outcome") or {}, self.hop(referral) or {}
        own = outcome.get("code") or outcome.get("reason") or referral.get("reason")
        found = hop.get("reason") if referral["status"] == "on-hold" else own
        return str(found) if found else None

    def sentence(self, referral: View) -> str:
        """The whole state in one sentence, for the sender, the plan and the hub."""
        status = str(referral["status"])
        hop, reason = self.hop(referral), self.reason(status, self.code(referral))
        asked = [h for h in referral.get("hops") or [] if h["status"] == "requested"] if hop else []
        named = asked if status == "requested" and asked else [hop or {"organization": None}]
        organization = self.text("and").join(self.organization(h["organization"]) for h in named)
        said = self.text.of("sentence", status, organization=organization)
        if status in ENDED and status not in {h["status"] for h in referral.get("hops") or []}:
            said = self.text("sentence.closed-by-nobody")
        if self.waits_for_plan(referral):
            said = self.text("sentence-plan")
        due = self.due(referral)
        tail = reason or (due["relative"] if due else "")
        return f"{said}: {tail}" if reason else f"{said} - {tail}" if tail else said

    def beside(self, *referrals: View) -> Model:
        """What the frame says beside them: the redisclosure notice, and whether paper is to stay blank."""
        notices = [r["notice"] for r in referrals if r.get("notice")]
        blank = any(map(_is_masked, referrals))
        return {"notice": notices[0] if notices else "", "blank": blank}

    def place(self, referral: View) -> str:
        """Where help is wanted: ZIP and county, as much as is known."""
        person = referral.get("person") or {}
        known = [
            referral.get("service_area"),
            person.get("service_area"),
            person.get("address"),
            person,
            referral,
        ]
        found = {k: next((p[k] for p in known if p and p.get(k)), None) for k in ("postal_code", "county")}
        county = str(found["county"] or "").removesuffix(" county").removesuffix(" County").title()
        parts = [
            self.text("place.zip", zip=found["postal_code"]) if found["postal_code"] else "",
            self.text("place.county", county=county) if county else "",
        ]
        return ", ".join(p for p in parts if p) or self.text("place.unknown")

    def language(self, referral: View) -> str:
        """The person's language, with a word when an interpreter is needed; empty when not said."""
        person = referral.get("person") or {}
        code = str(person.get("spoken_language") or person.get("language") or referral.get("language") or "")
        name = self.text.of("language", code.split("-")[0].lower()) if code else ""
        return (
            f"{name} ({self.text('language-interpreter')})"
            if name and person.get("interpreter_needed")
            else name
        )

    def name(self, referral: View) -> str:
        """The person's name where the caller may see it, else empty."""
        person = referral.get("person") or {}
        return " ".join(str(person[k]) for k in ("given_name", "family_name") if person.get(k))

    def summary(self, referral: View, base: str) -> Model:
        """What every list shows of a referral; `base` is the path its page hangs under."""
        return {
            "id": str(referral["id"]),
            "href": f"{base}/{referral['id']}",
            "version": referral["version"],
            "own_id": str(referral.get("sender_referral_id") or ""),
            "need": self.need(referral),
            "status": marks.status(self.text, str(referral["status"])),
            "priority": marks.priority(
                self.text, "" if referral["status"] in TERMINAL else str(referral.get("priority") or "")
            ),
            "sentence": self.sentence(referral),
            "person": self.name(referral),
            "place": self.place(referral),
            "due": self.due(referral),
            "age": when.moment(self.text, referral["created_at"], self.now),
            "changed": when.moment(self.text, referral["updated_at"], self.now),
            "sender": self.organization(referral.get("sender")),
        }


def _is_masked(referral: View) -> bool:
    need = referral.get("need") or {}
    return labels.is_masked(referral.get("sensitivity") or (), need.get("programme"))
