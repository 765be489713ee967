#!/bin/sh
# Install, or name, the Debian libraries that a Qt window with OpenGL needs, on screen or off.
#
# Elsewhere (macOS, Windows, other Linuxes) there is nothing to do: Qt's wheels bring the rest.
# Without root nothing stops: reading, fitting and the command line need no window.
set -eu

# xvfb: a display where there is none. libgl*, libegl1: software OpenGL for napari's canvas.
# The others are what Qt's "xcb" platform plugin loads.
needed="xvfb xauth libgl1 libegl1 libgl1-mesa-dri libglib2.0-0 libfontconfig1 libdbus-1-3
libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0
libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xfixes0"

command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 || exit 0

# Names that a package provides count too: libglib2.0-0 is libglib2.0-0t64 on newer systems.
installed=" $(dpkg-query -W -f='${db:Status-Abbrev} ${Package}, ${Provides}\n' |
    sed -n 's/^ii  *//p' | sed -E 's/ \([^)]*\)//g' | tr ',\n' '  ') "

missing=
for package in $needed; do
    case "$installed" in
    *" $package "*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    echo "Installing system libraries for the window:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of names
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "The window needs system libraries that are not here. Run this line once:"
    echo
    echo "    sudo apt-get install -y --no-install-recommends$missing"
    echo
fi
