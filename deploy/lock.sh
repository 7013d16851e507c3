#!/bin/bash
# Writes the locked requirements anew from the registry proper: what only this machine offers must not get into a lock.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools/v"
"$tools/v/bin/pip" install --quiet pip-tools
for name in requirements requirements-embedded requirements-test requirements-front; do
    env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="make lock" \
        "$tools/v/bin/pip-compile" --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
        --no-emit-trusted-host --strip-extras --allow-unsafe "$@" \
        --pip-args "--isolated ${PIP_CERT:+--cert $PIP_CERT}" --output-file "$name.txt" "$name.in"
    echo "$name.txt"
done
