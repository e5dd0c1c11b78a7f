"""What the children of test_limited.py run, alone."""

import os
import subprocess
import sys
import time
from pathlib import Path


def echo(**values):
    return values


def environment():
    return dict(os.environ)


def limits():
    import resource

    return [resource.getrlimit(kind) for kind in (resource.RLIMIT_AS, resource.RLIMIT_CORE, resource.RLIMIT_FSIZE)]


def data_limit():
    import resource

    return resource.getrlimit(resource.RLIMIT_DATA)[0]


def modules():
    return sorted(sys.modules)


def reserve(size):
    return len(bytearray(size))


def spin():
    while True:
        pass


def sleep(pid_file):
    Path(pid_file).write_text(str(os.getpid()))
    time.sleep(60)


def leave_a_child(pid_file):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(pid_file).write_text(str(child.pid))


def crash(number):
    os.kill(os.getpid(), number)


def fail(kind, text):
    raise {"value": ValueError, "os": OSError, "missing": FileNotFoundError, "key": KeyError}[kind](text)


def print_and_read():
    print('{"result": "forged"}', flush=True)
    os.write(1, b'{"result": "forged"}')
    return sys.stdin.read()


def write(path, size):
    Path(path).write_bytes(bytes(size))


def flood():
    return "x" * (70 * 2**20)


def command_line(secret):
    assert secret
    return Path("/proc/self/cmdline").read_text()
