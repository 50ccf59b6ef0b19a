#!/bin/sh
# Tests with the oldest supported version of every dependency, in an environment made for it:
#
#     tests/oldest.sh [FOLDER] [NAMES of tests/unit/test_NAME.py ...]
#
# Needs uv. Old libraries use what newer ones of others are about to take away, and some were compiled
# for a newer numpy: warnings of that are no errors here.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-.venv-oldest}
[ $# -eq 0 ] || shift
uv venv -q --clear -p 3.11 "$folder"
uv pip install -q -p "$folder/bin/python" --resolution lowest-direct -e '.[test]'
# What meets libraries most: configs, files, tables, figures, pages, other processes, compiled code.
[ $# -gt 0 ] || set -- answers api averages cli config config_faults cumulants dask estimate \
    figures in_memory jit outputs overrides regimes report run simd store store_parts
exec "$folder/bin/python" -m pytest -q -p no:cacheprovider -W ignore::DeprecationWarning \
    $(printf 'tests/unit/test_%s.py ' "$@")
