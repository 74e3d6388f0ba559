"""Nothing that came from outside reaches a log line, at DEBUG, by any way there is; what operators need does."""

import asyncio
import json
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import asyncpg
import fastavro
import faust
import msgspec
import pytest
import structlog
from aiokafka import TopicPartition
from mode import Service
from mode.utils.logging import FileLogProxy

from api.assertion import NotGenuine
from infra import log_foreign, log_words
from infra.kafka import KafkaLogin
from stream_processors import leaving
from stream_processors.leaving import PRINTED
from stream_processors.membership import Membership
from stream_processors.progress import Stopped
from tests.support.logs import written

NAME, BORN, PHONE = "Quilla Zephyrine", "1957-03-09", "555-0188"
PERSON = f"{NAME}, born {BORN}, {PHONE}"
log = structlog.get_logger()


def clean(text: str) -> bool:
    return not any(part in text for part in (NAME, "Quilla", "Zephyrine", BORN, PHONE))


def _unique() -> Exception:
    error = asyncpg.UniqueViolationError(f"duplicate key ({PERSON})")
    error.detail = f"Key (name)=({PERSON}) already exists."
    return error


def _raised(do: Callable[[], Any]) -> Exception:
    try:
        do()
    except Exception as error:
        return error
    raise AssertionError("it was to fail")


def _chained() -> None:
    try:
        raise _unique()
    except asyncpg.PostgresError as error:
        raise RuntimeError(f"while writing {PERSON}") from error


SCHEMA = {"type": "record", "name": "r", "fields": [{"name": "n", "type": "int"}]}
ERRORS: dict[str, Exception] = {}
ERRORS |= {
    "postgres": _unique(),
    "json": _raised(lambda: json.loads(f"{{'{PERSON}'")),
    "msgspec": _raised(lambda: msgspec.convert({"kind": PERSON}, dict[str, int])),
    "fastavro": _raised(lambda: fastavro.validate({"n": PERSON}, SCHEMA, raise_errors=True)),
    "unicode": _raised(lambda: PERSON.encode().decode("utf-16")),
    "key": _raised(lambda: ERRORS[PERSON]),
    "chained": _raised(_chained),
    "group": ExceptionGroup(PERSON, [_unique(), ValueError(PERSON)]),
    "value": ValueError(PERSON),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_exception_is_its_type_and_its_place(name: str) -> None:
    error = ERRORS[name]
    with written() as out:
        log.error("request failed", error=error)
        logging.getLogger("faust.anything").error("Error: %r", error, exc_info=error)
        logging.getLogger("aiokafka.consumer").exception("Failed: %s", error, exc_info=error)
        sys.excepthook(type(error), error, error.__traceback__)
    lines = out.lines()
    assert clean(out.getvalue()), out.getvalue()
    assert len(lines) == 4
    assert all(line["error"].startswith(type(error).__name__) for line in lines)


def test_postgres_code_and_the_causes_are_told() -> None:
    with written() as out:
        log.error("request failed", error=ERRORS["chained"])
    (line,) = out.lines()
    assert line["causes"] == [next(c for c in line["causes"] if c.startswith("UniqueViolationError 23505 "))]
    assert line["frames"][-1].startswith("tests/unit/test_logs.py:")
    assert line["frames"][-1].endswith(" _chained")


def test_frames_are_ours_and_the_innermost() -> None:
    error = _raised(lambda: json.loads("{"))
    found = log_words.frames(error.__traceback__)
    assert found[-1].startswith("json/decoder.py:")
    assert all(" " in each and ":" in each for each in found)


@pytest.mark.parametrize(
    "said",
    [
        {"error": PERSON},
        {"error": repr(ValueError(PERSON))},
        {"id": PERSON},
        {"topic": f"intake.{NAME}"},
        {"topic": NAME.lower().replace(" ", "")},
        {"place": (NAME, 0, 1)},
        {"place": ("intake.api", NAME)},
        {"do": PERSON},
        {"reason": PERSON},
        {"route": f"/v1/persons/{PHONE}"},
        {"part": NAME},
        {"what": PERSON},
        {"records": PHONE},
        {"url": f"https://exchange.example.org/{NAME}?born={BORN}"},
        {"person": {"name": NAME}},
        {"body": PERSON.encode()},
        {"exc_info": ValueError(PERSON)},
    ],
    ids=str,
)
def test_a_value_that_is_not_of_its_key_s_kind_is_left_out(said: dict[str, Any]) -> None:
    with written() as out:
        log.error("request failed", **said)
    (line,) = out.lines()
    assert clean(out.getvalue()) and line["event"] == "request failed"
    assert line.get("withheld") == 1 or line["url"] == "exchange.example.org"


def test_an_event_that_is_not_listed_is_its_place() -> None:
    with written() as out:
        log.info(f"no place for {PERSON}")
        log.info("no place for %s", PERSON)
    for line in out.lines():
        assert line["event"] == "unlisted" and line["where"].startswith("tests/unit/test_logs.py:")
    assert clean(out.getvalue())


def test_what_operators_need_is_told() -> None:
    why = Stopped("intake.bay-clinic was recreated; restore it")
    with written() as out:
        log.error("partition stopped", topic="intake.bay-clinic", partition=3, do=why)
        log.warning("starts anew", what="relay 3", error=ConnectionResetError("x"))
        log.error("a released record failed again", id=UUID(int=7), error=ValueError(PERSON))
        log.warning("client assertion refused", reason=NotGenuine("expired, or ends too late"))
        log.debug("answered", method="GET", route="/v1/referrals/{id}", status=404, ms=1.5)
    stopped, anew, again, refused, answered = out.lines()
    assert (stopped["topic"], stopped["partition"], stopped["do"]) == ("intake.bay-clinic", 3, str(why))
    assert (anew["what"], anew["error"], anew["level"]) == ("relay 3", "ConnectionResetError", "warning")
    assert again["id"] == str(UUID(int=7)) and again["error"] == "ValueError"
    assert refused["reason"] == "expired, or ends too late"
    assert (answered["route"], answered["status"], answered["ms"]) == ("/v1/referrals/{id}", 404, 1.5)
    assert not any("withheld" in line for line in out.lines())


def test_a_process_that_ends_with_an_instruction_says_it() -> None:
    taken = _raised(lambda: (_ for _ in ()).throw(Membership("refex-exchange-0", 0)._taken()))
    with written() as out:
        logging.getLogger("mode.worker").error("Error: %r", taken, exc_info=taken)
    (line,) = out.lines()
    assert "another worker runs as refex-exchange-0" in line["says"] and "REFEX_WORKER_SLOT" in line["says"]


def test_arguments_of_libraries_are_numbers_words_of_ours_and_types() -> None:
    kafka = logging.getLogger("aiokafka.consumer.group_coordinator")
    with written() as out:
        kafka.info("(Re-)joining group %s", "refex-exchange")
        kafka.info("Assigned %s of %s", {TopicPartition("intake.api", 3)}, {NAME, PHONE})
        kafka.debug("Sent %s to %d: %r", {"value": PERSON}, 7, PERSON.encode())
        kafka.debug("Now %(who)s", {"who": NAME})
        kafka.debug("Wrong %d", NAME)
        kafka.error("Unable to reach node %s: %s", 1, ConnectionError(PERSON))
    events = [line["event"] for line in out.lines()]
    assert events[0] == "(Re-)joining group refex-exchange"
    assert events[1] == "Assigned {intake.api:3} of {<text>, <text>}"
    assert events[2] == "Sent <dict> to 7: <bytes>"
    assert events[3] == "Now <text>" and events[4] == "Wrong %d"
    assert events[5] == "Unable to reach node 1: ConnectionError"
    assert clean(out.getvalue())


@pytest.mark.parametrize(
    "name", ["faust.app", "mode.worker", "uvicorn.error", "httpcore.http11", "asyncio", "x", PERSON]
)
def test_a_text_a_library_put_together_itself_is_withheld(name: str) -> None:
    with written() as out:
        logging.getLogger(name).error(f"failed for {PERSON}")
    (line,) = out.lines()
    assert line["event"] == log_foreign.WITHHELD and line["where"].startswith("tests/unit/test_logs.py:")
    assert clean(out.getvalue())


async def test_a_task_nobody_waited_for_says_no_more_than_that() -> None:
    async def fails() -> None:
        raise ValueError(PERSON)

    with written() as out:
        loop = asyncio.get_running_loop()
        task = loop.create_task(fails(), name=PERSON)
        await asyncio.wait([task])
        loop.call_exception_handler(
            {"message": "Task exception was never retrieved", "future": task, "exception": task.exception()}
        )
    line = out.lines()[-1]
    assert line["event"] == "Task exception was never retrieved" and line["error"] == "ValueError"
    assert clean(out.getvalue())


async def test_a_service_that_crashes_is_named_and_its_error_is_not_quoted() -> None:
    class Relays(Service):
        pass

    with written() as out:
        await Relays().crash(ValueError(PERSON))
        try:
            raise ValueError(PERSON)
        except ValueError as error:
            Relays().log.exception("Crashed reason=%r", error)
    line = out.lines()[-1]
    assert line["event"] == "[Relays] Crashed reason=ValueError"
    assert clean(out.getvalue())


def test_what_a_process_prints_is_withheld() -> None:
    with written() as out:
        print(PERSON, file=FileLogProxy(PRINTED, severity=logging.INFO))
    (line,) = out.lines()
    assert line["event"] == log_foreign.WITHHELD and clean(out.getvalue())


def test_what_faust_or_anyone_prints_in_a_worker_goes_through_its_log(tmp_path: Path) -> None:
    before = sys.stdout, sys.stderr
    app = faust.App("printing", broker="kafka://127.0.0.1:1", datadir=tmp_path, web_enabled=False)
    with written() as out:
        try:
            made = leaving.worker(KafkaLogin(bootstrap="127.0.0.1:1"))(app, redirect_stdouts=True)
            print(PERSON)
            print(PERSON, file=sys.stderr)
            made.carp(PERSON)
        finally:
            sys.stdout, sys.stderr = before
    assert [line["event"] for line in out.lines()] == [log_foreign.WITHHELD] * 3
    assert clean(out.getvalue())


def test_a_thread_that_fails_and_a_destructor_that_fails_quote_nothing() -> None:
    def fails() -> None:
        raise KeyError(PERSON)

    class Late:
        def __del__(self) -> None:
            raise ValueError(PERSON)

    with written() as out:
        thread = threading.Thread(target=fails)
        thread.start()
        thread.join()
        late = Late()
        del late
    assert [line["error"] for line in out.lines()] == ["KeyError", "ValueError"]
    assert clean(out.getvalue())


def test_on_a_terminal_a_line_is_for_people() -> None:
    from infra.logs import _console

    line = {
        "at": "2026-01-02T03:04:05.678+00:00",
        "level": "error",
        "event": "request failed",
        "error": "KeyError",
    }
    assert _console(line | {"frames": ["api/guard.py:1 x"]}) == (
        "03:04:05.678 error   request failed error=KeyError\n    api/guard.py:1 x"
    )


@pytest.mark.parametrize(("level", "told"), [("info", 1), ("debug", 2)])
def test_each_call_of_a_client_is_told_only_to_who_looks_for_faults(
    level: Literal["info", "debug"], told: int
) -> None:
    with written(level) as out:
        logging.getLogger("httpx").info("HTTP Request: %s", "GET")
        logging.getLogger("httpx").warning("HTTP Request: %s", "GET")
    assert len(out.lines()) == told
