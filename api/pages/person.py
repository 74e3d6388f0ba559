"""The person's contact as staff may use it: safe phones only, wishes first, nothing before acceptance.

Comes in: the `person` part of a view. Goes out: the dict that the macro `contact` draws. Must never link a number
that is not safe, nor any number of someone who must not be contacted.
"""

import re
from collections.abc import Iterator
from typing import Any

from api.pages.show import Model, Show, View


def person(show: Show, referral: View, offered: bool = True) -> Model:
    """Name, warnings, phones and facts; `offered` = whether accepting would show more."""
    who = dict(referral.get("person") or {})
    contact = dict(who.get("contact") or {})
    known = bool(show.name(referral))
    prohibited = bool(contact.get("prohibited"))
    return {
        "known": known,
        "name": show.name(referral),
        "hidden": show.text(
            "person.hidden" if offered and referral["status"] == "requested" else "person.not-shown"
        ),
        "warning": show.text("person.prohibited") if prohibited else "",
        "phones": [] if prohibited or not known else list(_phones(show, who, contact)),
        "facts": [r for r in _facts(show, referral, who, contact) if r["value"]],
    }


def _phones(show: Show, who: dict[str, Any], contact: dict[str, Any]) -> Iterator[Model]:
    listed = [p for p in contact.get("phones") or [] if p.get("number")]
    numbers = {_digits(p["number"]) for p in listed}
    if who.get("phone") and _digits(who["phone"]) not in numbers:
        listed.append({"number": who["phone"]})
    for phone in listed:
        if phone.get("safe") is False:
            yield {"number": show.text("person.phone-hidden"), "href": "", "note": show.text("person.unsafe")}
        else:
            yield {
                "number": str(phone["number"]),
                "href": f"tel:{_digits(phone['number'])}",
                "note": ", ".join(_wishes(show, phone)),
            }


def _wishes(show: Show, phone: dict[str, Any]) -> Iterator[str]:
    for field, yes, no in (
        ("safe", "person.safe", "person.unsafe"),
        ("voicemail_ok", "person.voicemail", "person.no-voicemail"),
        ("text_ok", "person.text", "person.no-text"),
    ):
        if phone.get(field) is not None:
            yield show.text(yes if phone[field] else no)


def _facts(show: Show, referral: View, who: dict[str, Any], contact: dict[str, Any]) -> Iterator[Model]:
    rows = {
        "person.alternate": _alternate(contact.get("alternate") or {}),
        "person.times": contact.get("best_times"),
        "person.language": show.language(referral),
        "person.address": _address(show, who, contact),
        "person.email": who.get("email") if contact.get("email_ok") is not False else None,
        "person.born": who.get("birth_date"),
        "person.household": (who.get("household") or {}).get("size"),
        "person.access": ", ".join(str(a) for a in who.get("accessibility") or []),
    }
    hidden = ("person.email", "person.address") if contact.get("prohibited") else ()
    for key, value in rows.items():
        if key not in hidden:
            yield {"label": show.text(key), "value": str(value) if value else ""}


def _alternate(other: dict[str, Any]) -> str:
    name = " ".join(str(other[k]) for k in ("name", "phone") if other.get(k))
    return f"{name} ({other['relationship']})" if name and other.get("relationship") else name


def _address(show: Show, who: dict[str, Any], contact: dict[str, Any]) -> str:
    address = who.get("address") or {}
    town = " ".join(str(address[k]) for k in ("city", "state", "postal_code") if address.get(k))
    lines = [str(address["line"])] if address.get("line") else []
    lines += [town] if town else []
    if lines and contact.get("mail_ok") is False:
        lines.append(show.text("person.no-mail"))
    return "\n".join(lines)


def _digits(number: Any) -> str:
    return re.sub(r"[^\d+]", "", str(number))
