"""A terms file means what it says: whatever field is given another value, at whatever place, some ledger becomes another one, or
the file is refused.

`kept.ndjson` holds a row for each place of a file: a story of a shop, and the value by which its ledger differs; or a file in
which every other value is refused there. `test_every_field.py` plays each row again and asks for one of every place, so that a
field that nothing reads cannot come in; `open.txt` names the places that still lack one. Rows are looked for in the stories that
`tests/rules` tells:

    python -m tests.terms.fields            # what has no row yet, or one that shows nothing any more; rows are added to the file
    python -m tests.terms.fields --list     # only what is missing
"""
