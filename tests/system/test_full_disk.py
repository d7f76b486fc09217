"""A file system that is full to the last byte, or to a few pages: refused and not lost; it goes on when there is room."""

import json
import os
import subprocess
import sys

import pytest

# Enough for a store and its journal, little enough to be filled at once.
SIZE = "4m"
# Pages more at each try.
STEP = 2
_MOUNT = 'mount -t tmpfs -o size="$1" counterfoil "$2" && shift 2 && exec "$@"'


def test_a_full_disk_is_said_to_be_full_and_nothing_is_lost(tmp_path, long, record_property):
    small, large = tmp_path / "small", tmp_path / "large"
    small.mkdir()
    large.mkdir()
    # Mounted where nobody else sees it, and gone with the process.  Who is not root needs user namespaces for that.
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    work = [sys.executable, "-m", "tests.system.full", small, large, "1" if long else str(STEP)]
    done = subprocess.run(
        [*unshare, "sh", "-c", _MOUNT, "sh", SIZE, small, *work],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    if done.returncode and "Traceback" not in done.stderr:
        pytest.fail(
            f"a small file system cannot be mounted, which takes root or user namespaces: {done.stderr}"
        )
    assert done.returncode == 0, done.stderr
    met = json.loads(done.stdout)
    record_property("met", met)
    assert met["chapters"] == 3
    # It was full at each chapter, at many moments.
    assert met["out-of-space"] > met["tries"] - met["chapters"]
    assert met["reads while full"] > met["chapters"]
    assert list(small.iterdir()) == []
