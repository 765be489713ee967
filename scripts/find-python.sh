#!/bin/sh
# Print a Python 3.11 or newer that can make a virtual environment.
#
# The plain python3 comes first: it is the one the user's other tools were installed for.
# On Debian the module `venv` is a package of its own; as root it is installed here.
set -eu

fits() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' >/dev/null 2>&1
}

makes_venvs() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

for python in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python; do
    fits "$python" || continue
    if makes_venvs "$python"; then
        echo "$python"
        exit 0
    fi
    without_venv=${without_venv:-$python}
done

if [ -z "${without_venv:-}" ]; then
    echo "No Python 3.11 or newer was found. Install one (python.org, Debian: apt-get install" >&2
    echo "python3 python3-venv), or name it: make setup PYTHON=/path/to/python3.12" >&2
    exit 1
fi

version=$("$without_venv" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends "python$version-venv"; } >&2
        echo "$without_venv"
        exit 0
    fi
    echo "$without_venv cannot make virtual environments. Run: sudo apt-get install -y python$version-venv" >&2
else
    echo "$without_venv lacks the modules venv and ensurepip; install them with your system's packages." >&2
fi
exit 1
