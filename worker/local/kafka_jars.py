"""Apache Kafka's own jars, fetched once by Maven into the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import mkdtemp

from worker.local.process import PartFailed

KAFKA_VERSION = "4.1.0"
JAVA_MINIMUM = 17
FETCH_SECONDS = 600.0
POM = Path(__file__).with_name("kafka-pom.xml")


def cache_directory() -> Path:
    """Where the jars of this pom are kept, whether they are there yet or not."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "loyalty" / f"kafka-{KAFKA_VERSION}-{hashlib.sha256(POM.read_bytes()).hexdigest()[:8]}"


def java_version() -> int | None:
    """Major version of the `java` on the path, None without one."""
    java = shutil.which("java")
    if java is None:
        return None
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=60)
    match = re.search(r'version "(\d+)', told.stderr)
    return int(match[1]) if told.returncode == 0 and match else None


def missing() -> str | None:
    """What this machine lacks to run Kafka from jars, in words; None if nothing."""
    version = java_version()
    if version is None:
        return f"no Java (Kafka needs {JAVA_MINIMUM} or newer)"
    if version < JAVA_MINIMUM:
        return f"Java {version} is too old (Kafka needs {JAVA_MINIMUM} or newer)"
    if not cache_directory().exists() and shutil.which("mvn") is None:
        return "no Maven to fetch Kafka's jars with"
    return None


def fetch_jars() -> Path:
    """The directory of the jars, fetched now if they are not there; raises PartFailed if Maven cannot.

    Two runs at once wait for each other, and what is there under the final name is complete.
    """
    target = cache_directory()
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _fetch_into(target)
    return target


def _fetch_into(target: Path) -> None:
    fresh = Path(mkdtemp(prefix="kafka-", dir=target.parent))
    command = ["mvn", "--batch-mode", "--no-transfer-progress", "--quiet", "--strict-checksums", "--file", str(POM)]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={fresh}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=FETCH_SECONDS)
        if done.returncode != 0:
            raise PartFailed(f"Maven could not fetch Kafka {KAFKA_VERSION}:\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}")
        fresh.chmod(0o755)
        fresh.rename(target)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PartFailed(f"Maven could not fetch Kafka {KAFKA_VERSION}: {error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
