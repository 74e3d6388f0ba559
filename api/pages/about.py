"""The request itself as label and value: what was asked, for where, by whom, and how it ended.

Comes in: the referral as api.views gives it. Goes out: rows for the macro `facts`; nothing a view left out. Pure.
"""

from api.pages import marks, when
from api.pages.show import Model, Show, View


def about(show: Show, referral: View) -> list[Model]:
    """The rows that have something to say."""
    need, outcome = referral.get("need") or {}, referral.get("outcome") or {}
    created = when.moment(show.text, referral["created_at"], show.now)
    consent, payer = (
        (referral.get("consent") or {}).get("status"),
        (referral.get("coverage") or {}).get("payer"),
    )
    rows = {
        "about.need": show.need(referral),
        "about.note": need.get("note"),
        "about.priority": marks.priority(show.text, str(referral.get("priority") or "routine"))["word"],
        "about.place": show.place(referral),
        "about.language": show.language(referral),
        "about.sender": show.organization(referral.get("sender")),
        "about.sent": f"{created['absolute']} ({created['relative']})" if created else "",
        "about.consent": show.text.of("consent", consent) if consent else "",
        "about.payer": show.organization(payer) if payer else "",
        "about.own-id": referral.get("sender_referral_id"),
        "about.outcome": show.text.label("outcomes", outcome.get("code")),
        "about.need-after": show.text.label("need_outcomes", outcome.get("need"))
        if outcome.get("code")
        else "",
    }
    return [{"label": show.text(key), "value": str(value)} for key, value in rows.items() if value]


def hops(show: Show, referral: View) -> list[Model]:
    """Who was asked, in order, with the answer of each."""
    made = []
    for hop in referral.get("hops") or []:
        status = str(hop["status"])
        waiting = status == "requested"
        made.append(
            {
                "organization": show.organization(hop["organization"]),
                "service": show.service(hop.get("service")),
                "status": marks.status(show.text, status),
                "due": when.due(show.text, hop.get("due_at"), show.now) if waiting else None,
                "reason": show.reason(status, hop.get("reason")),
            }
        )
    return made
