"""The command `ingot`, also as `python -m ingot`."""

from __future__ import annotations

import sys

from ingot.cli import interrupts


def main() -> None:
    """Run the command line and end the process with the exit code of what happened."""
    try:
        interrupts.listen()
        from ingot.cli.main import main as command  # noqa: PLC0415 (a signal must find us first)

        code = command()
        interrupts.end_at_once()
    except KeyboardInterrupt as exc:
        code = interrupts.interrupted(exc)
        interrupts.end_at_once()
    sys.exit(code)


if __name__ == "__main__":
    main()
