"""A small disk of its own for a server's write-ahead log, that can be filled up. Needs the right to mount."""

from __future__ import annotations

import errno
import shutil
import subprocess
from typing import Final

from worker.local import LocalPostgres
from worker.local.process import is_root

SERVER_SETTINGS: Final = {"min_wal_size": "32MB", "max_wal_size": "64MB", "wal_recycle": "off"}
"""So that a server keeps little of its log, and has to ask for room soon."""
_SIZE: Final = "256m"
_BLOCK: Final = bytes(2**20)


def missing() -> str | None:
    """Why there can be no small disk here; None if there can."""
    if not is_root():
        return "only root may mount a small disk"
    tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return None if tried.returncode == 0 else f"a small disk cannot be mounted: {tried.stderr.decode().strip()}"


class Disk:
    """The log of a server that is stopped, moved to a disk of 256 MB."""

    def __init__(self, server: LocalPostgres) -> None:
        self._place = server.data / "pg_wal"
        self._ballast = self._place / "ballast"
        status = self._place.stat()
        kept = self._place.with_name("pg_wal.kept")
        self._place.rename(kept)
        self._place.mkdir()
        options = f"size={_SIZE},uid={status.st_uid},gid={status.st_gid},mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self._place)], check=True)
        for each in kept.iterdir():
            subprocess.run(["cp", "-a", str(each), str(self._place)], check=True)
        shutil.rmtree(kept)

    def fill(self) -> None:
        """Leave no room."""
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(_BLOCK)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def clear(self) -> None:
        """Give back the room."""
        self._ballast.unlink(missing_ok=True)

    def remove(self) -> None:
        """Take the disk away, and all that is on it; the server is stopped for good."""
        subprocess.run(["umount", str(self._place)], check=True)
