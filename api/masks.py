"""A view without organization, address and need: what a plan sees of a referral whose help must not be guessed.

Comes in: a referral or event as views.py and facts.py show it. Goes out: the same, masked. Pure; its labels and its
notice stay. Names are replaced by a word, so that a reader sees that something is withheld.
"""

from collections.abc import Mapping
from typing import Any

from api.grants import MASKED_SERVICE
from referrals.labels import MASKED

# Fields of a fact that name an organization, a service, a place or the need.
NAMES = frozenset({"organization", "service", "chosen", "preferred"})
MASKED_DATA = NAMES | {"domain", "programme", "code", "candidates", "others_excluded", "told", "postal_code"}
MASKED_DATA |= {"county", "rule", "policy"}


def masked(view: Mapping[str, Any]) -> dict[str, Any]:
    """The returned referral of interfaces.md, masked."""
    out = dict(view)
    person = {k: v for k, v in (out["person"] or {}).items() if k != "address"}
    action, asked = out["next_action"], {h["organization"] for h in out["hops"]}
    return out | {
        "need": None,
        "person": person or None,
        "hops": [h | {"organization": MASKED, "service": ""} for h in out["hops"]],
        "next_action": action | {"who": MASKED} if action and action["who"] in asked else action,
        "services_delivered": [
            {k: v for k, v in s.items() if k in MASKED_SERVICE} for s in out["services_delivered"]
        ],
    }


def masked_fact(event: Mapping[str, Any], viewer: str, sender: str) -> dict[str, Any]:
    """An event of interfaces.md, masked: who acted is said only of the viewer itself and of the sender."""
    actor, data = event["actor"], event["data"]
    known = actor["organization"] in (viewer, sender)
    shown = {k: v for k, v in data.items() if k not in MASKED_DATA}
    return {**event, "actor": actor if known else actor | {"organization": MASKED}, "data": shown}
