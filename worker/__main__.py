"""`python -m worker` and the console script `loyalty`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from worker.cli.main import app

    app(prog_name="loyalty")


if __name__ == "__main__":
    main()
