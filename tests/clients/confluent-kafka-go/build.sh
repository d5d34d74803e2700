#!/bin/bash
# Puts the programs into the folder OUT: build.sh OUT
set -euo pipefail
out=$(realpath "$1")
cd "$(dirname "$0")"

# The client and the database driver contain C.
export CGO_ENABLED=1
go build -mod=readonly -buildvcs=false -o "$out/" ./producer ./consumer ./consumer_group_a ./consumer_group_b \
    ./consumer_crash ./billing ./exactly_once
