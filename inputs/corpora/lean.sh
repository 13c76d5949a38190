#!/usr/bin/env bash
# Builds the lean corpus for studies on one machine: novels, bibles, essays, dictionaries, manuals (20 M words, 122 MB, half a minute).
#   inputs/corpora/lean.sh FOLDER      leaves FOLDER/lean.txt and FOLDER/lean.json
# Needs Debian or Ubuntu with apt-get and python3; no root. May be interrupted and started again.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }

exec /usr/bin/python3 "$(dirname "$0")/build.py" lean "$1" <<'SOURCES'
# name       reader        package               files
austen       r_data        r-cran-janeaustenr    usr/lib/R/site-library/janeaustenr/data/Rdata.rdb
king-james   sword         sword-text-kjv        usr/share/sword/modules/**/*.?zs
world        sword         sword-text-web        usr/share/sword/modules/**/*.?zs
anarchism    html          anarchism             usr/share/doc/anarchism/html/*.html
webster      dictionary    dict-gcide            usr/share/dictd/gcide.dict.dz
devil        plain         dict-devil            usr/share/dictd/devil.dict.dz
foldoc       dictionary    dict-foldoc           usr/share/dictd/foldoc.dict.dz
wordnet      wordnet       wordnet-base          usr/share/wordnet/data.*
jargon       plain         jargon-text           usr/share/doc/jargon-text/jargon.txt.gz
fortunes     fortunes      fortunes              usr/share/games/fortunes/*
packages     descriptions  -                     *Translation-en
botocore     botocore      python3-botocore      usr/lib/python3/dist-packages/botocore/data/**/service-2.json*
sqlite       html          sqlite3-doc           usr/share/doc/**/*.html
postgresql   html          postgresql-doc-15     usr/share/doc/**/*.html
perl         pod           perl-doc              usr/share/perl/**/*.pod
linux        manual        manpages              usr/share/man/man?/*.gz
libc         manual        manpages-dev          usr/share/man/man?/*.gz
git          manual        git-man               usr/share/man/man?/*.gz
vim          plain         vim-runtime           usr/share/vim/vim*/doc/*.txt
SOURCES
