"""Tables as CSV, the way every route of the API hands them out.

Comes in: names of columns, rows. Goes out: a file to keep. Must never hold a cell that a
spreadsheet takes for a formula.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from starlette.responses import Response

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_answer(names: Sequence[str], rows: Iterable[Sequence[Any]], stem: str) -> Response:
    """The table as a file of that name, without its ending."""
    headers = {"Content-Disposition": f'attachment; filename="{stem}.csv"'}
    return Response(written(names, rows), headers=headers, media_type="text/csv; charset=utf-8")


def written(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """CSV text whose cells no spreadsheet takes for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()


def cell(value: Any) -> str:
    """One value as a cell: times in RFC 3339, lists by words, and what looks like a formula behind an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, list):
        value = " ".join(value)
    if isinstance(value, bool | int | float | UUID):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    text = str(value)
    looks = any(line.lstrip().startswith(FORMULA) for line in text.splitlines())
    return "'" + text if looks or text.startswith(FORMULA) else text
