#!/bin/sh
# usage: own_names.sh COMPILER FLAGS_FILE SOURCE DOOR...
# Compiles SOURCE, a program with names of its own, against each door.
set -eu
compiler=$1 flags=$2 source=$3
shift 3
failed=0
for door in "$@"; do
    if tr '\n' '\0' <"$flags" | xargs -0 "$compiler" -fsyntax-only "-DTENON_DOOR=<tenon/$door>" "$source"; then
        echo "$door: compiles beside a program's own names"
    else
        echo "$door: takes names away from a program that says 'using namespace tenon'"
        failed=1
    fi
done
exit $failed
