"""Peak memory of a command and of all that it starts below this checkout: engine, services, tasks (Linux).

    python -m tests.bench.memory make demo DATA=full

Memory is the proportional set size, in which pages that processes share count once; looked at every 5 s, so a shorter
peak is missed.
"""

import subprocess
import sys
import time
from collections import Counter

import psutil

from jobs.kit.settings import CHECKOUT, settings

EVERY = 5.0  # seconds


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    command, peak, then = subprocess.Popen(sys.argv[1:]), 0.0, Counter[str]()
    begun = time.monotonic()
    while command.poll() is None:
        now = used()
        if now.total() > peak:
            peak, then = now.total(), now
        time.sleep(EVERY)
    parts = ", ".join(f"{name} {size:.1f}" for name, size in then.most_common(6))
    print(f"peak {peak:.1f} GB ({parts}) in {time.monotonic() - begun:.0f} s")
    sys.exit(command.returncode)


def used() -> Counter[str]:
    """GB by program, over the processes whose words or folder are this checkout's or its home's."""
    ours, found = (str(CHECKOUT), str(settings().home)), Counter[str]()
    for process in psutil.process_iter():
        try:
            if any(place in " ".join([*process.cmdline(), process.cwd()]) for place in ours):
                found[process.name()] += process.memory_full_info().pss / 1e9
        except psutil.Error:
            continue
    return found


if __name__ == "__main__":
    main()
