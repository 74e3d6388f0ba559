"""The policy: scopes of a token, what an action needs, what one is to an object, and the SQL that says the same."""

import re
from datetime import UTC, datetime

import pytest

from api import policy, views
from api.policy import ACTIONS, PARTIES, SEES, Verdict
from api.principal import Principal
from api.problems import Problem
from infra.scopes import SCOPES
from referrals.contracts import contracts
from referrals.state import PayerBefore
from referrals.words import OrganizationType, ReferralStatus
from tests.support.filters import Filter, everything, filters, unfiltered
from tests.unit.test_api_views import NOW, seen


def principal(type: str, *scopes: str, organization: str = "o") -> Principal:
    return Principal(
        organization=organization,
        type=type,
        name="O",
        user="u",
        scopes=frozenset(scopes),
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
        credential=b"",
    )


def test_a_token_holds_what_was_asked_of_what_the_client_has() -> None:
    assert policy.narrowed("cbo", "referrals.read responses.write", "referrals.read") == {"referrals.read"}


def test_a_token_without_a_scope_parameter_holds_all() -> None:
    assert policy.narrowed("cbo", "referrals.read responses.write", None) == {
        "referrals.read",
        "responses.write",
    }


def test_a_client_never_holds_more_than_its_type_may() -> None:
    assert policy.narrowed("cbo", "referrals.write referrals.read", "referrals.write") == frozenset()
    assert policy.held("stranger") == frozenset()


@pytest.mark.parametrize(
    ("scopes", "action", "allowed"),
    [
        (("referrals.read",), "read", True),
        (("referrals.read",), "submit", False),
        ((), "me", True),
        ((), "read", False),
    ],
)
def test_an_action_needs_its_scope(scopes: tuple[str, ...], action: str, allowed: bool) -> None:
    verdict = policy.authorize(principal("clinic", *scopes), action)
    assert verdict is (Verdict.ALLOWED if allowed else Verdict.FORBIDDEN)


LEFT = PayerBefore(payer="old-plan", contract="c", until=NOW, status=ReferralStatus.ACCEPTED)
FOUND = seen(payers_before=(LEFT,))
REFERRAL = policy.referral(FOUND.state, FOUND.reviewed)
# Who is what to it: organization and type.
WHO = {
    "sender": ("clinic", "clinic"),
    "asked": ("cbo", "cbo"),
    "asked before": ("other-cbo", "cbo"),
    "payer": ("plan", "mco"),
    "payer before": ("old-plan", "mco"),
    "hub": ("hub", "hub"),
    "operator": ("operator", "operator"),
    "other clinic": ("clinic-b", "clinic"),
    "other cbo": ("cbo-b", "cbo"),
    "other plan": ("plan-b", "mco"),
    "other hub": ("hub-b", "hub"),
    "state": ("state", "state"),
    "platform": ("network", "platform"),
}
# Action -> who may; of the others those who see the referral are told 403 (or 404 where it says so), strangers 404.
MAY = {
    "read": ("sender asked asked-before payer payer-before hub operator", "unknown"),
    "explain": ("sender hub operator", "unknown"),
    "amend": ("sender", "forbidden"),
    "cancel": ("sender", "forbidden"),
    "respond": ("asked asked-before hub", "forbidden"),
    "assign": ("hub", "forbidden"),
    "authorize": ("payer", "forbidden"),
}


def who(name: str) -> Principal:
    organization, type = WHO[name]
    every_scope = {scope for scopes in SCOPES.values() for scope in scopes}
    return principal(type, *every_scope, organization=organization)


@pytest.mark.parametrize("action", MAY)
@pytest.mark.parametrize("name", WHO)
def test_who_may_do_what_to_a_referral(action: str, name: str) -> None:
    may, others = MAY[action]
    seers = MAY["read"][0].split()
    told = others if name.replace(" ", "-") in seers else "unknown"
    expected = "allowed" if name.replace(" ", "-") in may.split() else told
    assert policy.authorize(who(name), action, REFERRAL) == expected


def test_every_action_on_a_referral_is_in_that_table() -> None:
    assert {name for name, action in ACTIONS.items() if action.of & (SEES - {"payer", "any operator"})} == (
        set(MAY) - {"authorize"}
    )


@pytest.mark.parametrize("name", WHO)
@pytest.mark.parametrize("reviewed", [True, False])
def test_a_referral_exists_for_exactly_those_who_are_shown_something(name: str, reviewed: bool) -> None:
    found = views.Seen(FOUND.state, FOUND.submission, reviewed=reviewed)
    asked = policy.referral(found.state, reviewed)
    assert policy.sees(who(name), asked) == (views.kind_of(who(name), found) is not None)


def test_without_the_scope_nobody_may_whatever_the_object_is_to_them() -> None:
    assert policy.authorize(principal("clinic", organization="clinic"), "read", REFERRAL) is Verdict.FORBIDDEN


@pytest.mark.parametrize(
    ("name", "figures", "rows"),
    [("payer", True, True), ("state", True, False), ("operator", True, False), ("other plan", False, False)],
)
def test_figures_are_the_payers_the_states_and_the_operators_and_the_rows_the_payers_alone(
    name: str, figures: bool, rows: bool
) -> None:
    golden = policy.contract(contracts()["golden-health-plan-2026"])
    asking = principal(WHO[name][1], "measures.read", organization="golden-health-plan")
    asking = asking if name == "payer" else who(name)
    for action, may in (("measure", figures), ("measured", rows)):
        assert policy.authorize(asking, action, golden) is (Verdict.ALLOWED if may else Verdict.UNKNOWN)


def test_a_hub_revokes_for_others_and_grants_for_nobody() -> None:
    other = policy.owned("clinic")
    assert policy.authorize(who("hub"), "revoke", other) is Verdict.ALLOWED
    assert policy.authorize(who("hub"), "consent", other) is Verdict.UNKNOWN
    assert policy.authorize(who("other clinic"), "revoke", other) is Verdict.UNKNOWN
    assert policy.authorize(who("sender"), "consent", other) is Verdict.ALLOWED


def test_a_refusal_says_who_may_to_those_alone_who_see_the_object() -> None:
    with pytest.raises(Problem) as forbidden:
        policy.demand(who("payer"), "amend", REFERRAL)
    with pytest.raises(Problem) as unknown:
        policy.demand(who("other plan"), "amend", REFERRAL)
    assert (forbidden.value.status, forbidden.value.detail) == (
        403,
        "only the sender of a referral may do this",
    )
    assert (unknown.value.status, "sender" in unknown.value.detail) == (404, False)


def test_what_a_type_can_never_read_does_not_exist_for_it() -> None:
    state = principal("state", *SCOPES[OrganizationType.STATE])
    narrowed = principal("clinic")
    types = frozenset({"clinic", "state"})
    assert policy.admits(state, "read", types, reads_one=True) is Verdict.UNKNOWN
    assert policy.admits(state, "read", types, reads_one=False) is Verdict.FORBIDDEN
    assert policy.admits(narrowed, "read", types, reads_one=True) is Verdict.FORBIDDEN


# Queries that show a row to a caller and have no filter of their own, each with why not.
UNFILTERED = {
    "api.reading:one": "the policy decides on the row that was read",
    "api.reading:these": "the policy decides on each row that was read",
    "api.reading:decision": "asked for a referral that was decided on",
    "api.reading:events": "asked for a referral that was decided on",
    "api.pages.pages:these": "views.py decides on each row that was read",
    "api.stream:about": "asked for referrals whose facts the caller was just shown",
}
TENANTS = re.compile(
    r"\b(?:from|join) (?:referral|hop|history|stream|inbox|parked|service_record|idempotency|audit_\w+|delivery"
    r"|person_consent|break_glass)\b"
)
AGGREGATES = {
    "api.metrics",
    "api.pages.pages:by_county",
    "api.pages.pages:by_domain",
    "api.pages.pages:by_status",
}
AGGREGATES |= {"api.pages.pages:dead_letters", "api.pages.pages:parked_count"}
PURGE = {"api.auth:purge_keys"}


def test_every_query_on_rows_of_organizations_says_whose_it_shows_or_why_it_need_not() -> None:
    marked = {found.query for found in filters()}
    said = marked | set(UNFILTERED) | AGGREGATES | PURGE | {"api.directory:search"}
    queries = {f"{module}:{name}" for module, name, sql in everything() if TENANTS.search(sql)}
    assert {q for q in queries if q not in said and q.partition(":")[0] not in AGGREGATES} == set()
    assert not marked & set(UNFILTERED)


@pytest.mark.parametrize("found", filters(), ids=lambda f: f"{f.query} {f.by}")
def test_a_query_filters_as_the_policy_says(found: Filter) -> None:
    if found.by == "owner or hub":  # paused services: a CBO asks for its own, a hub for all
        assert found.said == "($::text is null or tenant = $)"
        return
    said = (
        found.said.removeprefix("($::text is null or ").removesuffix(")")
        if found.by == "payer"
        else found.said
    )
    assert said in (policy.OWNER if found.by == "owner" else PARTIES[found.by])


def test_every_list_of_referrals_and_of_changes_is_filtered_by_what_its_type_may_be_to_them() -> None:
    from api.reading import LISTS
    from api.stream import CHANGED

    by = {
        "clinic": {"sender"},
        "platform": {"sender"},
        "mco": {"sender", "payer", "payer-before"},
        "cbo": {"asked"},
        "hub": {"hub"},
        "operator": {"any operator"},
    }
    for module, table in (("api.reading", LISTS), ("api.stream", CHANGED)):
        for type, query in table.items():
            found = {f.by for f in filters() if f.query == f"{module}:{query}"}
            assert found == by[type] - ({"payer-before"} if module == "api.stream" else set()), (module, type)


def test_taking_the_filters_away_leaves_none() -> None:
    for _, _, sql in everything():
        assert "-- seen by:" not in unfiltered(sql)
    assert len(filters()) > 25
