"""Links sent by e-mail and codes of a device: each works once, for a while, and neither goes around the other."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from msgspec import structs

from api import totp
from api.limits import Limits
from api.mail import Mail
from tests.support.api import Api
from tests.support.people import browser, enrolled, entered, joined, token_of, unhurried
from tests.support.smtp import MailServer

NAME = "refex-session"


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(tmp_path_factory.mktemp("steps")) as running:
        yield running


@pytest.fixture(autouse=True)
def no_quotas(api: Api) -> None:
    unhurried(api)


@pytest.fixture
async def mails(api: Api) -> AsyncIterator[MailServer]:
    async with MailServer() as server:
        found = api.app.state.context
        before, found.mail = (
            found.mail,
            Mail(structs.replace(found.settings, smtp_url=server.url), found.database),
        )
        yield server
        found.mail = before
    async with api.owner() as owner:
        await owner.execute("delete from login_link")


async def linked(api: Api, mails: MailServer, http: httpx.AsyncClient, email: str) -> str:
    """The path of the link that is sent to an address."""
    assert (await http.post("/login/link", data={"email": email})).status_code == 200
    assert await api.app.state.context.mail.send_one()
    message = await mails.message()
    assert message["To"] == email
    found = re.search(r"http://\S+?(/login/link/\S+)", message.get_content())
    assert found is not None
    return found[1]


async def test_a_link_logs_in_once_and_looking_at_it_does_not_use_it_up(api: Api, mails: MailServer) -> None:
    email = await joined(api, "clinic-a")
    async with api.http() as http:
        path = await linked(api, mails, http, email)
        for _ in range(3):  # a mail scanner, twice, and the person
            seen = await http.get(path)
            assert seen.status_code == 200 and 'method="post"' in seen.text
        assert (await http.post(path, data={"csrf": ""})).status_code == 303
        assert (await http.get("/v1/me")).json()["organization"]["id"] == "clinic-a"
    async with api.http() as http:
        again = await http.post(path, data={"csrf": ""})
        assert again.status_code == 401 and "set-cookie" not in again.headers
        assert (await http.get("/v1/me")).status_code == 401


async def test_a_link_is_good_for_fifteen_minutes_and_its_token_is_not_stored(
    api: Api, mails: MailServer
) -> None:
    email = await joined(api, "clinic-a")
    async with api.http() as http:
        path = await linked(api, mails, http, email)
        async with api.owner() as owner:
            row = await owner.fetchrow("select l.*, now() as now from login_link l")
            assert row is not None and timedelta(minutes=14) < row["expires_at"] - row["now"]
            assert row["expires_at"] - row["now"] <= timedelta(minutes=15)
            assert path.rpartition("/")[2] not in str(dict(row))
            await owner.execute("update login_link set expires_at = now() - interval '1 second'")
        assert (await http.post(path, data={"csrf": ""})).status_code == 401


async def test_an_unknown_address_is_answered_alike_and_sent_nothing(api: Api, mails: MailServer) -> None:
    email = await joined(api, "clinic-a")
    async with api.http() as http:
        known = await http.post("/login/link", data={"email": email})
        unknown = await http.post("/login/link", data={"email": "nobody@clinic-a.example.org"})
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    mail = api.app.state.context.mail
    assert await mail.send_one() and not await mail.send_one()
    assert (await mails.message())["To"] == email and mails.empty


async def test_a_mail_server_that_refuses_is_asked_again(api: Api, mails: MailServer) -> None:
    email = await joined(api, "clinic-a")
    mails.refuse = True
    async with api.http() as http:
        await http.post("/login/link", data={"email": email})
        assert await api.app.state.context.mail.send_one() and mails.empty
        mails.refuse = False
        assert not await api.app.state.context.mail.send_one(), "not at once"
        async with api.owner() as owner:
            await owner.execute("update login_link set next_at = now()")
        assert await api.app.state.context.mail.send_one()
        assert (await mails.message())["To"] == email


async def asked(http: httpx.AsyncClient, code: str) -> httpx.Response:
    """The answer to the form for the code."""
    page = (await http.get("/login/code")).text
    found = re.search(r'action="/login/code".*?name="csrf" value="([^"]+)"', page, re.DOTALL)
    return await http.post("/login/code", data={"csrf": found[1] if found else "", "code": code})


async def test_an_operator_who_set_it_up_is_asked_for_a_code_that_works_once(api: Api) -> None:
    email = await joined(api, "operator", "operator")
    async with browser(api, email) as http:
        secret = await enrolled(http)
        again = await http.post("/account/code", data={"csrf": await token_of(http)})
        assert again.status_code == 409, "whoever finds the browser open does not replace the device"
    code = totp.code(secret, totp.step_of(datetime.now(UTC)))
    async with api.http() as http:
        assert (await entered(http, email)).headers["location"] == "/login/code"
        assert (await http.get("/v1/me")).status_code == 401, "not before the code"
        assert (await asked(http, "000000")).status_code == 401
        waiting = http.cookies[NAME]
        assert (await asked(http, code)).status_code == 303
        assert http.cookies[NAME] != waiting
        assert (await http.get("/operator")).status_code == 200
    async with api.http() as http:
        await entered(http, email)
        assert (await asked(http, code)).status_code == 401
        assert (await http.get("/v1/me")).status_code == 401


async def test_guesses_of_a_code_are_bounded_and_need_the_forms_token(api: Api) -> None:
    email = await joined(api, "operator", "operator")
    async with browser(api, email) as http:
        await enrolled(http)
    api.app.state.context.limits = Limits()
    async with api.http() as http:
        await entered(http, email)
        assert (await http.post("/login/code", data={"csrf": "x", "code": "1"})).status_code == 403
        answers = [(await asked(http, f"{n:06}")).status_code for n in range(10)]
    assert answers[-1] == 429 and 303 not in answers


async def test_a_link_does_not_go_around_the_code(api: Api, mails: MailServer) -> None:
    email = await joined(api, "operator", "operator")
    async with browser(api, email) as http:
        await enrolled(http)
    async with api.http() as http:
        path = await linked(api, mails, http, email)
        assert (await http.post(path, data={"csrf": ""})).headers["location"] == "/login/code"
        assert (await http.get("/v1/me")).status_code == 401


async def test_a_code_is_taken_once_by_two_at_the_same_moment(api: Api) -> None:
    email = await joined(api, "operator", "operator")
    async with browser(api, email) as http:
        secret = await enrolled(http)
    code = totp.code(secret, totp.step_of(datetime.now(UTC)))
    async with api.http() as one, api.http() as two:
        await entered(one, email)
        await entered(two, email)
        answers = await asyncio.gather(asked(one, code), asked(two, code))
    assert sorted(a.status_code for a in answers) == [303, 401]
