# SPDX-License-Identifier: GPL-2.0-only
"""Probes on TLS libraries come and go in the same way as perf uprobes, one for each place, which is
how kernels before 6.10 take them."""
# SECONDS: 180
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import probe_scenes  # noqa: E402

if __name__ == "__main__":
    ktap.main(ktap.tests(vars(probe_scenes)), probe_scenes.fixture("perf"))
