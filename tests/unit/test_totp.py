"""Codes of a device: those of the standard's own table, about now, each once."""

from datetime import UTC, datetime, timedelta

import pytest

from api import totp

SECRET = b"12345678901234567890"
NOW = datetime(2026, 11, 23, 12, 0, 10, tzinfo=UTC)


# RFC 6238, appendix B, SHA-1: the last six of its eight digits.
@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_codes_of_the_standard(seconds: int, expected: str) -> None:
    step = totp.step_of(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
    assert totp.code(SECRET, step) == expected


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_is_good_about_its_time(steps: int, taken: bool) -> None:
    step = totp.step_of(NOW) + steps
    assert totp.taken(SECRET, totp.code(SECRET, step), NOW, 0) == (step if taken else None)


def test_no_code_is_taken_twice_nor_an_older_one_after_it() -> None:
    step = totp.step_of(NOW)
    assert totp.taken(SECRET, totp.code(SECRET, step), NOW, step) is None
    assert totp.taken(SECRET, totp.code(SECRET, step - 1), NOW, step) is None
    assert totp.taken(SECRET, totp.code(SECRET, step + 1), NOW, step) == step + 1


@pytest.mark.parametrize("given", ["", "000000", "28708", "2870822", "٢٨٧٠٨٢", "-87082"])
def test_what_is_no_code_is_not_taken(given: str) -> None:
    assert totp.taken(SECRET, given, datetime.fromtimestamp(59, UTC), 0) is None


def test_the_secret_as_people_and_devices_read_it() -> None:
    assert totp.spelled(SECRET).replace(" ", "") == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    made = totp.address(SECRET, "alex@x.example.org", "exchange.example.org")
    assert made.startswith("otpauth://totp/exchange.example.org%3Aalex%40x.example.org?secret=GEZDGNBV")
