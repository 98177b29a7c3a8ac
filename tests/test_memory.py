import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
from moebench import machine
{before}
def touch(): bytearray(64 << 20)
touch()
start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5): touch()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start) // 5)
"""


def faults_of(before):
    script = FAULTS.format(before=before)
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return int(found.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back")
def test_freed_memory_is_kept_and_not_faulted_in_again():
    assert faults_of("") > 10_000  # 64 MiB are 16,384 pages
    assert faults_of("assert machine.keep_freed_memory()") < 100


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back")
def test_a_refused_threshold_is_made_up_for():
    """Some versions of glibc refuse a threshold over 32 MiB."""
    before = (
        "import ctypes\n"
        "real = ctypes.CDLL('libc.so.6').mallopt\n"
        "class Old:\n"
        "    def mallopt(self, key, value):\n"
        "        return 0 if key == -3 else real(key, value)\n"
        "machine.ctypes.CDLL = lambda name: Old()\n"
        "assert machine.keep_freed_memory()"
    )
    assert faults_of(before) < 100
