"""One example for each command that takes arguments, shown below its help; a test runs those that need no server."""

from __future__ import annotations

from typing import Final

_DAY: Final = "contracts/examples/day.ndjson"

EXAMPLES: Final = {
    "simulate": f"loyalty simulate --program lenovo-pro --events {_DAY} --at 2026-12-31T23:59:59+09:00 -o table",
    "plan": "loyalty plan --events-per-second 5000 --peak 4",
    "member statement": "loyalty member statement lenovo-pro LP-101 --at 2026-11-20T12:00:00+09:00 -o json",
    "member explain": "loyalty member explain lenovo-pro LP-101 --order L-9001 --lang en -o html > LP-101.html",
    "ledger verify": "loyalty ledger verify --account lenovo-pro:LP-101",
    "ledger decisions": "loyalty ledger decisions lenovo-pro > decisions.ndjson",
    "ledger open": (
        "loyalty ledger open lenovo-pro balances.csv --at 2026-12-01T00:00:00+09:00, where balances.csv begins with "
        "member_id,points,kind,expires_on and goes on with LP-201,1200,regular,2027-03-31"
    ),
    "ledger rebuild": "loyalty ledger rebuild --program lenovo-pro --preview -o ndjson",
    "ledger refold": "loyalty ledger refold --workers 4 -o ndjson > would-move.ndjson",
    "ledger erase": "LOYALTY_POSTGRES_DSN=postgresql://points_eraser@db/loyalty loyalty ledger erase",
    "ledger seal": "loyalty ledger seal --export 2026-12-01.ndjson",
    "program new": "loyalty program new my-shop --like tiers",
    "program validate": "loyalty program validate contracts/programs/lenovo-pro.yaml",
    "program show": "loyalty program show lenovo-pro -o json",
    "program rules": "loyalty program rules belle-maison",
    "program coverage": "loyalty program coverage contracts/programs/scolar.yaml",
    "program try": "loyalty program try lenovo-pro --order 12000 --on 2026-12-03 --tier Plus --shipped",
    "program diff": f"loyalty program diff lenovo-pro lenovo-pro --set redemption.minimum=500 --events {_DAY}",
    "program apply": "loyalty program apply my-shop.yaml --reason 'double points in May'",
    "program history": "loyalty program history lenovo-pro",
    "program preview": "loyalty program preview lenovo-pro 3f2a90c1 -o ndjson",
    "program approve": "loyalty program approve lenovo-pro 3f2a90c1",
    "program story": "loyalty program story lenovo-pro > lenovo-pro.md",
    "program schema": "loyalty program schema > terms.schema.json",
    "command list": "loyalty command list --program lenovo-pro -o json",
    "command approve": "loyalty command approve 3f2a90c1 --operator ben --reason 'goodwill, ticket 4711' --apply",
    "command reject": "loyalty command reject 3f2a90c1 --operator ben --reason 'nobody asked for it' --apply",
    "command sign": "loyalty command sign commands.ndjson --key back-office.pem > signed.ndjson",
    "topics create": "loyalty topics create --partitions 48 --replicas 3",
}


def example(command: str) -> str:
    """The last lines of a command's help."""
    return f"Example: {EXAMPLES[command]}"
