"""Simulated people answer as the rules allow, the same way every time; no hop is answered by a stranger."""

from collections import Counter
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from producers.simulator import chances
from producers.simulator.cbo import Desk, dated
from referrals import words
from referrals.transitions import TRANSITIONS
from referrals.words import HopStatus

HOPS = [f"hop-{number}" for number in range(400)]


@pytest.mark.parametrize("status", chances.NEXT)
def test_every_answer_is_one_the_lifecycle_takes(status: str) -> None:
    for hop in HOPS:
        for steps in range(4):
            answer = chances.answer(1, hop, status, steps)
            assert answer == chances.answer(1, hop, status, steps)
            if answer is None:
                continue
            row = TRANSITIONS[answer["action"]]
            assert HopStatus(status) in row.sources
            if row.reasons == "outcomes":
                assert answer["action"] in words.table("outcomes")[answer["outcome"]["code"]]["ends"]
                assert answer["outcome"]["need"] in words.table("need_outcomes")
            elif row.reasons is not None:
                assert answer["reason"] in words.table(row.reasons)


def test_about_three_of_four_are_accepted() -> None:
    drawn = Counter((chances.answer(7, hop, "requested", 0) or {"action": "wait"})["action"] for hop in HOPS)
    assert 0.68 < drawn["accept"] / len(HOPS) < 0.82
    assert drawn["reject"] and drawn["wait"]


class Inbox:
    """An ExchangeClient with one referral in it."""

    def __init__(self, organization: str) -> None:
        hops = [{"hop": f"h-{o}", "organization": o, "status": "requested"} for o in ("other", organization)]
        self.referral: dict[str, Any] = {"id": str(uuid4()), "hops": hops}
        self.posted: list[tuple[str, dict[str, Any]]] = []

    async def get(self, path: str, **query: Any) -> Any:
        return {"items": [self.referral] if query["status"] == "requested" else []}

    async def post(self, path: str, body: dict[str, Any], content_type: str = "") -> Any:
        self.posted.append((path, body))
        return self.referral | {"hops": []}


def test_a_hold_names_a_day_to_come() -> None:
    held = dated({"action": "hold", "reason": "waitlist", "review_in_days": 3}, date(2026, 12, 30))
    assert held == {"action": "hold", "reason": "waitlist", "review_date": "2027-01-02"}
    assert dated({"action": "accept"}, date(2026, 12, 30)) == {"action": "accept"}


async def test_a_desk_answers_its_own_hop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(chances.PAUSE, "requested", (0.0, 0.0))
    monkeypatch.setitem(chances.NEXT, "requested", {"accept": 1})
    inbox = Inbox("pantry")
    desk = Desk("pantry", inbox, 1, lambda: False)  # type: ignore[arg-type]
    await desk.step()
    path = f"/v1/referrals/{inbox.referral['id']}/responses"
    assert inbox.posted == [(path, {"action": "accept", "hop": "h-pantry"})]
