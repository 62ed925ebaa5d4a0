"""Serves with workers beside it on one machine, to try out what several processes do: `make scale`.

The first that ends ends all.
"""

import os
import signal
import subprocess
import sys
import time

WORKERS = 2
_LOOK_EVERY_SECONDS = 0.2


def main() -> int:
    """Start one process that serves and the workers, and stop them together; the status of the first that ended."""
    if not os.environ.get("ORCHESTRATOR_DATABASE_URL", "").startswith("postgresql://"):
        print(
            "Set ORCHESTRATOR_DATABASE_URL to the postgresql:// URL of a database that they share.",
            file=sys.stderr,
        )
        return 78
    environment = os.environ | {"ORCHESTRATOR_WORKERS": "external"}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    processes = [
        # Ctrl+C would else reach them twice, from the terminal and from here, and the second ends them at once.
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "orchestrator_app", command], env=environment, start_new_session=True
        )
        for command in ["serve", *["worker"] * WORKERS]
    ]
    ended = None
    try:
        while ended is None:
            time.sleep(_LOOK_EVERY_SECONDS)
            ended = next((status for process in processes if (status := process.poll()) is not None), None)
    except KeyboardInterrupt:
        ended = 0
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
    return ended


if __name__ == "__main__":
    sys.exit(main())
