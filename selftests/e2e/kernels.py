#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""smtplimit passes its smoke test (selftests/lib/vm_smoke.sh) on the kernels of Debian 12 and
Debian 13, booted in virtual machines. One result a kernel. Needs no root and touches nothing of
this machine."""
# SECONDS: 300
import os
import pathlib
import re
import signal
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "selftests" / "lib"))
import ktap  # noqa: E402


# A machine takes 100 s where nothing else runs; emulation is slow beside other tests.
os.environ.setdefault("VM_SECONDS", "480")


def boot(kernel):
    """scripts/vm for one kernel. What it starts is one process group, which ends with this test."""
    vm = subprocess.Popen([TOP / "scripts" / "vm", kernel], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", start_new_session=True)
    try:
        output = vm.communicate()[0]
    except BaseException:
        os.killpg(vm.pid, signal.SIGTERM)
        vm.wait()
        raise
    last = (output.splitlines() or ["nothing was printed"])[-1]
    if vm.returncode == ktap.EXIT_SKIP:
        raise ktap.Skip(re.sub(r"^([0-9.]+: )?skip: ", "", last))
    ktap.diagnose(last if vm.returncode == 0 else output)
    ktap.equal(vm.returncode, 0, "exit status of scripts/vm")


def test_kernel_6_1_of_debian_12():
    boot("6.1")


def test_kernel_6_12_of_debian_13():
    boot("6.12")


if __name__ == "__main__":
    ktap.main([test_kernel_6_1_of_debian_12, test_kernel_6_12_of_debian_13])
