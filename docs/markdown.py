"""Markdown as the generated documents write it: tables, and diagrams in mermaid.

Comes in: cells and lines. Goes out: text. Must never know what they are about.
"""

from collections.abc import Iterable


def node(name: str) -> str:
    """A name as mermaid takes one."""
    return "".join(c if c.isalnum() else "_" for c in name)


def mermaid(kind: str, lines: Iterable[str]) -> str:
    """A diagram."""
    return "\n".join(["```mermaid", kind, *(f"    {line}" for line in lines), "```", ""])


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table with its head."""
    lines = [head, ("---",) * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        + "\n"
    )
