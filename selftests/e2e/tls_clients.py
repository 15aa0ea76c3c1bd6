# SPDX-License-Identifier: GPL-2.0-only
"""Every mail client, with probes in the processes that send."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import client_matrix  # noqa: E402

if __name__ == "__main__":
    client_matrix.main("process")
