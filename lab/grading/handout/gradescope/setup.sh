#!/bin/bash
# Gradescope runs this once, when it builds the autograder's image: with network, as root.
set -euo pipefail
apt-get update
apt-get install --yes --no-install-recommends build-essential ca-certificates curl maven openjdk-17-jre-headless python3 python3-pip
# For submissions in Python. Nothing else runs in this container that would need its packages left alone.
PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install confluent-kafka==2.16.1
. /autograder/source/environment
if ! cargo --version; then
    # Distributions have rustup only since 2024, and their own Rust is too old.
    curl --proto '=https' --tlsv1.2 --silent --show-error --fail https://sh.rustup.rs |
        sh -s -- -y --no-modify-path --profile minimal
fi
cd /autograder/source/lab
cargo build --package lab
# All that grading needs, so that nothing is fetched any more.
target/debug/lab grade --prepare
