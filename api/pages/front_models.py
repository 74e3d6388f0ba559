"""What everybody may see: the start page with live health, a message when something went wrong.

Comes in: counts and times, never a referral. Goes out: template models. Pure.
"""

from datetime import datetime

from api.pages import when
from api.pages.show import Model, Show
from api.pages.text import Text

STEPS = (("send", "send"), ("answer", "inbox"), ("close", "done"))
MESSAGES = ("404", "403", "csrf", "409", "429", "503")


def home(show: Show, working: bool, last_event: datetime | None, organizations: int) -> Model:
    """What this is, and whether it works right now."""
    text, moved = show.text, when.moment(show.text, last_event, show.now)
    checks = [
        {
            "ok": working,
            "name": text("home.health-database"),
            "text": text("home.health-works" if working else "home.health-away"),
        }
    ]
    if working:
        checks.append(
            {
                "ok": True,
                "name": text("home.health-events"),
                "text": moved["relative"] if moved else text("home.health-none"),
            }
        )
        checks.append(
            {
                "ok": True,
                "name": text("home.health-organizations"),
                "text": text("home.health-active", n=organizations),
            }
        )
    steps = [
        {"icon": icon, "heading": text(f"home.step-{name}"), "text": text(f"home.step-{name}-text")}
        for name, icon in STEPS
    ]
    return {"title": text("home.title"), "steps": steps, "checks": checks}


def message(text: Text, key: str, back: str = "/") -> Model:
    """What went wrong and what to do next; `key` is a status code, or `csrf`."""
    known = key if key in MESSAGES else "other"
    retry = known in ("csrf", "409", "429", "503")
    return {
        "title": text(f"error.title.{known}"),
        "lines": [text(f"error.text.{known}")],
        "href": back if retry else "/",
        "action": text("error.again" if retry else "error.start"),
    }
