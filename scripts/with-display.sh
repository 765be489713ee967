#!/bin/sh
# Run pytest where its windows have a display of their own: with-display.sh python -m pytest …
#
# On Linux that is a virtual one, even where there is a real one: the tests move the mouse.
# IMS_TUMOR_ON_SCREEN=1 shows them on the real display. Where there is neither, the tests of
# windows are left out, and said to be.
set -eu

if [ "$(uname -s)" != Linux ] || [ -n "${IMS_TUMOR_ON_SCREEN:-}" ]; then
    exec "$@"
fi
if command -v xvfb-run >/dev/null 2>&1; then
    exec xvfb-run -a -s "-screen 0 1400x900x24" "$@"
fi
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    exec "$@"
fi

warn() {
    echo "NO DISPLAY: the tests of windows are left out. Install xvfb to run them (see 'make setup')." >&2
}
trap warn EXIT
warn
QT_QPA_PLATFORM=offscreen "$@" -m "not window"
