"""What pages show is what was counted, allowed and safe: funnel, small cells, times, buttons, contact, forms."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pages import (
    cards,
    cbo_answers,
    cbo_models,
    cells,
    forms,
    funnel,
    marks,
    plan_models,
    render,
    timeline,
    when,
)
from api.pages.person import person
from api.pages.routing import routing
from api.pages.show import Show
from api.pages.text import Text
from api.pages.watch_models import state
from referrals import words
from referrals.transitions import allowed_actions
from referrals.words import HopStatus
from tests.unit.pages_samples import NOW, ago, decision, event, events, hop, offered, referral, rows

SHOW = Show(Text(), NOW, {"harvest-food-bank": "Harvest Food Bank", "riverside-clinic": "Riverside Clinic"})


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_funnels_bars_are_as_wide_as_their_numbers(received: int, accepted: int, closed: int) -> None:
    counts = {"received": received, "accepted": accepted, "closed": closed}
    made = funnel.funnel(Text(), counts)
    assert {b["step"]: b["count"] for b in made["bars"]} == counts
    most = max(counts.values())
    for bar in made["bars"]:
        assert bar["width"] == pytest.approx(funnel.WIDTH * bar["count"] / most if most else 0, abs=0.06)
        assert f"{bar['label']}: {bar['count']}" in made["label"]


def test_the_funnel_and_its_table_show_the_same_numbers() -> None:
    span = {"contract": "c", "from": "2026-01-01", "to": "2026-12-31"}
    model = plan_models.plan(SHOW, "", span, rows())
    frame = render.frame(Text(), None)
    rest: dict[str, Any] = {"measures": [], "rows": [], "contracts": [], "next_href": "", "first_href": ""}
    html = render.html("_mco_plan.html", Text(), frame, model | rest | {"csv_href": ""})
    for bar in model["funnel"]["bars"]:
        assert f'<tspan class="bar-count">{bar["count"]}</tspan> {bar["label"]}' in html
        assert f'<th scope="row">{bar["label"]}</th><td class="num">{bar["count"]}</td>' in html
    assert sum(d["received"] for d in model["domains"]) == model["funnel"]["bars"][0]["count"]


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.integers(0, 400), max_size=12))
def test_no_small_cell_can_be_worked_out(counts: dict[str, int]) -> None:
    shown, total = cells.published(counts)
    hidden = [n for n in counts if shown[n] in (cells.SMALL, cells.WITHHELD)]
    assert not [n for n, c in counts.items() if 0 < c < 11 and shown[n] != cells.SMALL]
    assert all(shown[n] == str(counts[n]) for n in counts if n not in hidden)
    if total.isdigit() and any(0 < c < 11 for c in counts.values()):
        assert len(hidden) >= 2
        assert sum(counts[n] for n in hidden) >= 11


def test_a_single_small_cell_takes_another_with_it() -> None:
    shown, total = cells.published({"alameda": 100, "marin": 4, "sonoma": 20})
    assert shown == {"alameda": "100", "marin": "<11", "sonoma": "–"}
    assert total == "124"
    assert cells.published({"marin": 4}) == ({"marin": "<11"}, "–")


def test_the_state_page_shows_no_total_when_one_table_would_be_given_away() -> None:
    made = state(SHOW, {"marin": 4}, {"food-insecurity": 4}, {"requested": 4})
    assert [t["total"] for t in made["tables"]] == [None, None, None]


@pytest.mark.parametrize(
    ("span", "said"),
    [
        ({"seconds": 20}, "just now"),
        ({"minutes": 1, "seconds": 5}, "1 minute ago"),
        ({"hours": 26}, "26 hours ago"),
        ({"days": 3}, "3 days ago"),
    ],
)
def test_times_are_told_as_people_tell_them(span: dict[str, float], said: str) -> None:
    found = when.moment(Text(), ago(**span), NOW)
    assert found is not None
    assert found["relative"] == said


def test_due_times_say_how_late() -> None:
    late, soon = when.due(Text(), ago(hours=2), NOW), when.due(Text("es"), NOW + timedelta(hours=1), NOW)
    assert late == late | {"relative": "2 hours late", "late": True} if late else False
    assert soon is not None
    assert soon["relative"] == "vence en 1 hora"
    assert "22 nov 2026" in soon["absolute"]


@pytest.mark.parametrize("status", list(HopStatus))
def test_buttons_follow_the_transition_table(status: HopStatus) -> None:
    shown = [b["name"] for b in cards.buttons(SHOW, "/x", status, on_card=False)]
    allowed = set(allowed_actions(status))
    assert ("accept" in shown) == ("accept" in allowed)
    assert ("close" in shown) == ("complete" in allowed)
    assert set(shown) <= {b.name for b in cards.BUTTONS if set(b.needs) & allowed}


def test_while_the_plan_decides_the_pages_say_so_and_offer_no_start() -> None:
    action = {"who": "golden-health-plan", "what": "authorize", "due_at": NOW + timedelta(days=3)}
    waiting = cards.card(SHOW, offered("accepted", next_action=action))
    names = {b["name"] for b in waiting["actions"]}
    assert "start" not in names and "close" in names
    assert (waiting["sentence"], waiting["due"]) == ("The health plan must approve before you start", None)
    said = SHOW.sentence(referral(status="received", hops=[], next_action=action))
    assert said == "Waiting for approval by the health plan - due in 3 days"


def test_by_when_the_next_thing_must_happen_is_said_in_words() -> None:
    start = {"who": "harvest-food-bank", "what": "start", "due_at": NOW + timedelta(days=9)}
    card = cards.card(SHOW, offered("accepted", hops=[hop("accepted")], next_action=start))
    assert card["due"]["relative"] == "due in 9 days"
    assert SHOW.sentence(referral(status="accepted", hops=[hop("accepted")], next_action=start)).endswith(
        " - due in 9 days"
    )


def test_an_outcome_is_changed_from_the_page_for_a_month() -> None:
    young = offered("completed", hops=[hop("completed", answered_at=ago(days=29))])
    old = offered("completed", hops=[hop("completed", answered_at=ago(days=31))])
    gone_on = offered("failed", outcome=None, hops=[hop("failed", answered_at=ago(days=1))])
    for view, named in ((young, {"correct", "reopen"}), (old, set()), (gone_on, set())):
        shown = {a["name"] for a in cbo_models.one(SHOW, view, [])["c"]["actions"]}
        assert shown & {"correct", "reopen"} == named


def test_a_failure_that_goes_on_is_not_called_closed() -> None:
    assert cbo_answers.done("fail", {"outcome_code": "no-capacity"}) == "passed-on"
    assert cbo_answers.done("fail", {"outcome_code": "moved"}) == "fail"
    assert cbo_answers.said("contact", {"reached": "no", "method": "x"})[1]["details"] == {
        "method": "phone",
        "reached": False,
    }


@pytest.mark.parametrize("status", ["cancelled", "rejected"])
@pytest.mark.parametrize("table", ["withdraw_reasons", "told_reasons"])
def test_whatever_ended_a_turn_is_said_in_words(status: str, table: str) -> None:
    spanish = Show(Text("es"), NOW)
    for code, row in words.table(table).items():
        if status == "cancelled" or table == "withdraw_reasons":
            assert spanish.reason(status, code) == row["label_es"]


def test_every_hop_status_is_under_one_tab_and_has_a_look() -> None:
    assert sorted(s for statuses in cards.TABS.values() for s in statuses) == sorted(HopStatus)
    assert set(marks.LOOKS) == set(HopStatus) | set(words.ReferralStatus)


@pytest.mark.parametrize("code", words.table("outcomes"))
def test_every_outcome_closes_by_an_action_that_allows_it(code: str) -> None:
    for need in cbo_models.NEEDS:
        action = cbo_models.ending(code, need)
        assert action in words.table("outcomes")[code]["ends"]
    form = {"reason": code, "need": "resolved", "note": "why"}
    assert cbo_answers.wrong(SHOW, "close", form) == {}
    action, said = cbo_answers.said("close", form)
    assert said == {"outcome_code": code, "outcome_need": "resolved", "note": "why"}
    assert action in ("complete", "fail")


@pytest.mark.parametrize(
    ("name", "given_fields", "wrong"),
    [
        ("reject", {}, {"reason"}),
        ("reject", {"reason": "no-capacity"}, set()),
        ("reject", {"reason": "other"}, {"note"}),
        ("close", {"reason": "other"}, {"need", "note"}),
        ("hold", {"reason": "waitlist", "review_date": "2020-01-01"}, {"review_date"}),
        ("hold", {"reason": "waitlist", "review_date": "2027-01-01"}, set()),
        ("note", {}, {"note"}),
        ("cancel", {}, {"reason"}),
        ("cancel", {"reason": "other"}, {"note"}),
        ("transfer", {}, set()),
        ("correct", {"reason": "enrolled"}, {"need"}),
        ("contact", {}, {"reached"}),
        ("reopen", {}, set()),
        ("accept", {}, set()),
    ],
)
def test_answers_are_checked_by_field(name: str, given_fields: dict[str, str], wrong: set[str]) -> None:
    assert set(cbo_answers.wrong(SHOW, name, given_fields)) == wrong


def test_a_number_that_is_not_safe_is_never_shown() -> None:
    made = person(SHOW, referral())
    assert "510-555-0177" not in str(made)
    assert [p["href"] for p in made["phones"]] == ["tel:5105550142", ""]


def test_an_unsafe_number_is_not_shown_by_its_other_spelling() -> None:
    view = referral()
    view["person"]["phone"] = "(510) 555-0177"
    assert "555-0177" not in str(person(SHOW, view))


def test_who_must_not_be_contacted_has_no_number_at_all() -> None:
    view = referral()
    view["person"]["contact"]["prohibited"] = True
    made = person(SHOW, view)
    assert made["phones"] == []
    assert made["warning"]
    assert "510-555-0142" not in str(made)
    assert "rosa@" not in str(made)


def test_before_acceptance_a_card_has_no_identity() -> None:
    made = cards.card(SHOW, offered("requested"))
    assert "Delgado" not in str(made)
    assert made["place"] == "ZIP 94607, Alameda County"
    assert made["due"]["relative"] == "due in 28 hours"


def test_the_story_is_told_newest_first_in_plain_words() -> None:
    told = timeline.entries(SHOW, events(), [])
    assert [e["what"] for e in told][:2] == ["A type of tomorrow", "Accepted"]
    assert told[-1]["what"] == "Sent the referral"
    assert told[-1]["who"] == "Riverside Clinic"
    assert any(e["detail"].startswith("No capacity now") for e in told)


def test_an_answer_by_telephone_names_both_who_gave_and_who_took_it() -> None:
    made = event(1, "hop-accepted", 1, "riverside-clinic", hop="h1")
    made["actor"] |= {"on_behalf_of": "harvest-food-bank", "channel": "phone"}
    assert timeline.who(SHOW, made) == "Harvest Food Bank to Riverside Clinic, by telephone"


def test_the_decision_is_explained_with_miles_and_rules() -> None:
    made = routing(SHOW, decision())
    assert made is not None
    assert made["sentence"] == "Harvest Food Bank fits best of 2 that could help."
    assert "1.6 miles away" in made["candidates"][0]["reason"]
    assert made["candidates"][2]["reason"] == "Does not serve this area"
    assert routing(SHOW, None) is None


def test_a_status_is_one_plain_sentence() -> None:
    assert SHOW.sentence(referral()) == "Waiting for reply from Harvest Food Bank - due in 28 hours"
    both = referral(hops=[hop(), hop(organization="riverside-clinic"), hop("rejected")])
    assert "Harvest Food Bank and Riverside Clinic - due" in SHOW.sentence(both)
    closed = referral("failed", hops=[hop("rejected")], outcome={"code": "no-service-found"})
    assert SHOW.sentence(closed) == "Closed without an organization: No service found"
    held = referral("on-hold", hops=[hop("on-hold", reason="waitlist")])
    assert SHOW.sentence(held) == "On hold at Harvest Food Bank: On our waitlist"


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/cbo?tab=done", "/cbo?tab=done"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        (None, "/"),
        ("", "/"),
    ],
)
def test_redirects_stay_with_us(path: str | None, safe: str) -> None:
    assert forms.local(path) == safe


def test_a_redirect_keeps_the_query_it_had() -> None:
    assert forms.go("/cbo?tab=working", "complete").headers["location"] == "/cbo?tab=working&done=complete"
    assert forms.go("/cbo").headers["location"] == "/cbo"
