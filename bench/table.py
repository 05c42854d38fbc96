"""Tables for people, and for `docs/performance.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table under its title; numbers to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            c.ljust(w) if not n else c.rjust(w) for n, (c, w) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rules = ["-" * width if not n else "-" * (width - 1) + ":" for n, width in enumerate(widths)]
    print(f"\n### {title}\n", line(head), f"| {' | '.join(rules)} |", *map(line, rows), sep="\n", flush=True)


def number(value: float | None, digits: int = 1) -> str:
    """Write a figure, or a dash for one that was not measured."""
    return "–" if value is None else f"{value:,.{digits}f}"


def ratio(value: float | None, other: float | None) -> str:
    """Write how many times `other` `value` is."""
    return "–" if value is None or other is None else f"{value / other:.2f}×"
