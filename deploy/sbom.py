"""What is in an environment, as a CycloneDX 1.5 document on stdout: run by the interpreter of that environment.

The build of the image writes it to /opt/loyalty/sbom.cdx.json. Nothing but the standard library, for that environment has no more
than the worker needs.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from importlib.metadata import Distribution, distributions

PRODUCT = "loyalty-points"


def component(found: Distribution) -> dict[str, object]:
    """One installed distribution."""
    name = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
    purl = f"pkg:pypi/{name}@{found.version}"
    of: dict[str, object] = {"type": "library", "name": name, "version": found.version, "purl": purl, "bom-ref": purl}
    expression, said = found.metadata["License-Expression"], found.metadata["License"]
    if expression:
        of["licenses"] = [{"expression": expression}]
    elif said and "\n" not in said:
        of["licenses"] = [{"license": {"name": said}}]
    return of


def document() -> dict[str, object]:
    """All of them by name, with the product itself and its interpreter."""
    found = {str(each["name"]): each for each in map(component, distributions())}
    product = found.pop(PRODUCT, {"type": "application", "name": PRODUCT})
    python = {"type": "platform", "name": "python", "version": platform.python_version(), "bom-ref": "python"}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {**product, "type": "application"}},
        "components": [*(found[name] for name in sorted(found)), python],
    }


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=1, ensure_ascii=False)
