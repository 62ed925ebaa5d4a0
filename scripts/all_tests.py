"""Runs all tests: those with a browser, which wait much, beside all others, which hardly ever do: `make test`.

They are two commands, because the library that drives the browser keeps an event loop of its own running.
"""

import subprocess
import sys
import tempfile

_PYTEST = (sys.executable, "-m", "pytest", "-n", "2")
# The files of the browser tests share a running program each.
BROWSER = (*_PYTEST, "tests/e2e", "--dist", "loadfile")
OTHERS = (*_PYTEST, "tests", "--ignore=tests/e2e", "--dist", "worksteal", "--cov", "--cov-report=")


def main() -> int:
    """Show what the others say as they say it, then what the browser tests said; 0 when all of them passed."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        browser = subprocess.Popen(BROWSER, stdout=said, stderr=subprocess.STDOUT)  # noqa: S603 - written above
        try:
            others = subprocess.call(OTHERS)  # noqa: S603 - written above
        finally:
            browser_status = browser.wait()
            said.seek(0)
            print(said.read(), flush=True)
    return others or browser_status


if __name__ == "__main__":
    sys.exit(main())
