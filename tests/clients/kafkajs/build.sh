#!/bin/bash
# Puts the programs into the folder OUT, with the packages that they import: build.sh OUT
set -euo pipefail
out=$(realpath "$1")
cd "$(dirname "$0")"

cp package.json ./*.js "$out"
npm install --prefix "$out" --no-package-lock --no-audit --no-fund --silent

for program in producer consumer consumer_group_a consumer_group_b consumer_crash billing exactly_once; do
    printf '#!/bin/sh\nexec node "$(dirname "$0")/%s.js"\n' "$program" >"$out/$program"
    chmod +x "$out/$program"
done
