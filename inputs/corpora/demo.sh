#!/usr/bin/env bash
# Builds the demonstration corpus: six novels and Webster's dictionary of 1913 (4.7 M words, 28 MB, about half a minute).
#   inputs/corpora/demo.sh FOLDER      leaves FOLDER/demo.txt and FOLDER/demo.json
# Needs Debian or Ubuntu with apt-get and python3; no root. May be interrupted and started again.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }

exec /usr/bin/python3 "$(dirname "$0")/build.py" demo "$1" <<'SOURCES'
# name     reader       package               files
austen     r_data       r-cran-janeaustenr    usr/lib/R/site-library/janeaustenr/data/Rdata.rdb
webster    dictionary   dict-gcide            usr/share/dictd/gcide.dict.dz
SOURCES
