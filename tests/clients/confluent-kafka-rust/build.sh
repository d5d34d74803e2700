#!/bin/bash
# Puts the programs into the folder OUT: build.sh OUT
set -euo pipefail
out=$(realpath "$1")
cd "$(dirname "$0")"

# What the compiler keeps takes far more space than the programs, so it does not stay.
target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
cargo build --locked --bins --target-dir "$target"
find "$target/debug" -maxdepth 1 -type f -executable -exec cp {} "$out" \;
