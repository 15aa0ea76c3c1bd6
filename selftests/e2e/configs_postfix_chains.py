# SPDX-License-Identifier: GPL-2.0-only
"""Each set-up in configs/ of a Postfix with a filter or a second instance is hooked, charges and
refuses each way of submission, and is afterwards as before, to the byte."""
# SECONDS: 90
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import config_cases  # noqa: E402
import ktap  # noqa: E402
import mta  # noqa: E402

if __name__ == "__main__":
    ktap.main(config_cases.tests(__file__), config_cases.running(mta.Postfix))
