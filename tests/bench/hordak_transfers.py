"""Transfers through django-hordak, a double-entry ledger for Django; run by `peer.py` with an interpreter that has it installed.

Reads one line before it begins, so that making the tables does not count, and says when it is ready and when it is done.
Arguments: host, port and name of a database, how many transfers, over how many connections.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from random import Random
from typing import Any

ACCOUNTS = 500


def main() -> None:
    """Make the tables and accounts, wait for the word, fork a process a connection, wait for all of them."""
    host, port, name, transfers, connections = sys.argv[1:]
    django = import_module("django")
    settings = import_module("django.conf").settings
    settings.configure(
        DATABASES={
            "default": {"ENGINE": "django.db.backends.postgresql", "HOST": host, "PORT": port, "NAME": name, "USER": "postgres"}
        },
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        DEFAULT_CURRENCY="JPY",
        CURRENCIES=["JPY"],
        USE_TZ=True,
    )
    django.setup()
    import_module("django.core.management").call_command("migrate", verbosity=0)
    models: Any = import_module("hordak.models")
    account = models.Account.objects.create
    made = [
        (
            account(name=f"granted {n}", type=models.AccountType.liability, currencies=["JPY"]),
            account(name=f"available {n}", type=models.AccountType.liability, currencies=["JPY"]),
        )
        for n in range(ACCOUNTS // 2)
    ]
    connection = import_module("django.db").connection
    connection.close()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    children = [_child(made, int(transfers) // int(connections), seed) for seed in range(int(connections))]
    codes = [os.waitpid(child, 0)[1] for child in children]
    sys.stdout.write("failed\n" if any(codes) else "done\n")


def _child(made: list[tuple[Any, Any]], transfers: int, seed: int) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        transaction = import_module("django.db").transaction
        points = import_module("moneyed").Money(100, "JPY")
        rng = Random(seed)
        for _ in range(transfers):
            granted, available = rng.choice(made)
            with transaction.atomic():
                granted.transfer_to(available, points)
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
