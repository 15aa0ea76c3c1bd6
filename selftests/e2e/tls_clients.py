# SPDX-License-Identifier: GPL-2.0-only
"""What every common mail client sends within TLS is counted exactly, with probes in the processes
that send."""
# ALONE: what it counts has to get its probes while the server keeps its greeting back
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import client_matrix  # noqa: E402

if __name__ == "__main__":
    client_matrix.main("process")
