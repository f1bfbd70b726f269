"""What is in the image: the list that its build writes names every library of the lock, in the form that scanners read."""

from __future__ import annotations

import json
import re
import subprocess
import sys

from tests.cli.conftest import ROOT

LOCKED = re.compile(r"^([a-z0-9._-]+)==([^ ]+)(?: ;.*)? \\$", re.MULTILINE)


def test_every_library_of_the_lock_is_listed_with_its_version() -> None:
    answer = subprocess.run((sys.executable, ROOT / "deploy" / "sbom.py"), capture_output=True, check=True)
    document = json.loads(answer.stdout)
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.5", 1)
    assert document["metadata"]["component"]["name"] == "loyalty-points"
    listed = {each["name"]: each for each in document["components"]}
    assert len(listed) == len(document["components"])
    locked = dict(LOCKED.findall((ROOT / "requirements.lock").read_text()))
    assert len(locked) > 20
    here = {name: version for name, version in locked.items() if name in listed}
    assert locked.keys() - here.keys() <= {"colorama", "win32-setctime"}, "of other platforms alone"
    for name, version in here.items():
        assert listed[name]["version"] == version
        assert listed[name]["purl"] == f"pkg:pypi/{name}@{version}"
    assert listed["python"]["type"] == "platform"
