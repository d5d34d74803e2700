#!/bin/bash
# Gradescope runs this script once, as root and with network access, when it builds the autograder's image.
set -euo pipefail
apt-get update
apt-get install --yes --no-install-recommends build-essential ca-certificates curl maven openjdk-17-jre-headless python3 python3-pip
# For submissions in Python. Nothing else in this container depends on the system's Python packages, so pip may change them.
PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install confluent-kafka==2.16.1
. /autograder/source/environment
if ! cargo --version; then
    # Linux distributions have had rustup only since 2024, and their own Rust is too old.
    curl --proto '=https' --tlsv1.2 --silent --show-error --fail https://sh.rustup.rs |
        sh -s -- -y --no-modify-path --profile minimal
fi
cd /autograder/source/lab
cargo build --package grading
# Fetches and builds everything that grading needs, so that grading itself fetches nothing.
target/debug/lab-grading grade --prepare
