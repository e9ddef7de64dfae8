"""The one way to the terminal for text: escaped, and never two messages in one."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

from ingot.escaping import escaped_lines


def tell(text: str) -> None:
    """Write a message to stderr; its further lines are indented, lest one pass for a message."""
    inner = "\n" if text.startswith("Usage: ") else "\n  "
    sys.stderr.write(escaped_lines(text).replace("\n", inner) + "\n")


def show(text: str) -> None:
    """Write lines to stdout."""
    sys.stdout.write(escaped_lines(text))


def page(text: str) -> None:
    """Show lines in the program that $PAGER names; long lines are cut by `less`, not folded."""
    words = shlex.split(os.environ.get("PAGER", "")) or ["less", "-S"]
    try:
        subprocess.run(words, input=escaped_lines(text).encode(), check=False)  # noqa: S603  # the user's own
    except FileNotFoundError:
        show(text)
