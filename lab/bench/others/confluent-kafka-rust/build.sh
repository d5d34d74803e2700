#!/bin/bash
# Builds the programs with optimization, and puts them into the folder OUT: build.sh OUT
set -euo pipefail
out=$(realpath "$1")
cd "$(dirname "$0")"

target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
cargo build --locked --release --bins --target-dir "$target"
cp "$target/release/consumer" "$target/release/producer" "$out"
