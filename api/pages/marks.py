"""How a status or an urgency looks: a tone, an icon and always a word, so that colour alone never tells.

Comes in: a code. Goes out: the small dict that the macro `tag` draws.
"""

from typing import Any

from api.pages.text import Text

Mark = dict[str, Any]

# status of a referral or hop -> tone (a CSS class), icon (a symbol of icons.svg)
LOOKS: dict[str, tuple[str, str]] = {
    "received": ("wait", "send"),
    "needs-review": ("wait", "people"),
    "requested": ("wait", "clock"),
    "accepted": ("go", "check"),
    "in-progress": ("go", "heart"),
    "on-hold": ("quiet", "pause"),
    "completed": ("done", "done"),
    "failed": ("quiet", "stop"),
    "refused": ("bad", "stop"),
    "cancelled": ("quiet", "cross"),
    "entered-in-error": ("quiet", "cross"),
    "rejected": ("quiet", "cross"),
    "expired": ("bad", "alert"),
}


def status(text: Text, code: str) -> Mark:
    """The mark of a status in the words of people."""
    tone, icon = LOOKS.get(code, ("quiet", "info"))
    return {"code": code, "tone": tone, "icon": icon, "word": text.of("status", code)}


def priority(text: Text, code: str) -> Mark:
    """The mark of an urgency; only what is not routine is worth a tag."""
    urgent = code not in ("", "routine")
    tone, icon = ("bad", "alert") if urgent else ("quiet", "info")
    return {
        "code": code,
        "tone": tone,
        "icon": icon,
        "word": text.of("priority", code or "routine"),
        "urgent": urgent,
    }


def verdict(text: Text, met: bool | None) -> Mark:
    """Whether a target is met; None when there is none or nothing to count."""
    tone, icon, key = {
        True: ("go", "check", "met"),
        False: ("bad", "alert", "missed"),
        None: ("quiet", "info", "open"),
    }[met]
    return {"code": key, "tone": tone, "icon": icon, "word": text.of("target", key)}
