"""The lineage as one text, a line per table. Run as a module to renew lineage.txt."""

from pathlib import Path

from jobs.kit import lineage


def text() -> str:
    """`table ← inputs`, in the order in which tables run."""
    lines = [f"{n} ← {', '.join(lineage.inputs(n)) or 'source ' + str(lineage.source(n))}" for n in lineage.order()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(__file__).with_suffix(".txt").write_text(text(), encoding="utf-8")
