#!/usr/bin/env bash
# Builds a small corpus that is learnt in minutes: the King James Bible, whose phrases repeat (0.8 M words, 4 MB, a quarter of a minute).
#   inputs/corpora/kjv.sh FOLDER      leaves FOLDER/kjv.txt and FOLDER/kjv.json
# Needs Debian or Ubuntu with apt-get and python3; no root. May be interrupted and started again.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }

exec /usr/bin/python3 "$(dirname "$0")/build.py" kjv "$1" <<'SOURCES'
# name       reader     package            files
king-james   sword      sword-text-kjv     usr/share/sword/modules/**/*.?zs
SOURCES
