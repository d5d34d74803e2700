#!/bin/bash
# Tests the autograder for Gradescope in a plain Debian container: first its setup, which has a network, as on
# Gradescope; then a run, which has none. A Docker daemon must be running. The container uses this machine's compiler
# and the files that Cargo and Maven have already downloaded.
# usage: gradescope.sh setup|run SCRATCH_FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$2
autograder=$scratch/autograder
lent=(-v "$autograder:/autograder" -v "$scratch/m2:/root/.m2" -v "$(rustc --print sysroot):/opt/rust:ro"
    -e PATH=/opt/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin)
# Some networks have their own certificates.
[ -z "${PIP_CERT:-}" ] || lent+=(-v "$PIP_CERT:/lent.crt:ro" -e PIP_CERT=/lent.crt)

setup() {
    local image=kafka-lab-debian
    if ! docker image inspect "$image" >/dev/null 2>&1; then
        debootstrap --variant=minbase bookworm "$scratch/debian" >"$scratch/debootstrap.log" 2>&1 ||
            { tail -20 "$scratch/debootstrap.log"; exit 1; }
        tar -C "$scratch/debian" -c . | docker import - "$image"
        rm -rf "$scratch/debian"
    fi

    mkdir -p "$autograder"/{source,submission,results,cargo}
    cargo lab package gradescope "$scratch/autograder.zip"
    (cd "$autograder/source" && jar xf "$scratch/autograder.zip")
    cp -r "${CARGO_HOME:-$HOME/.cargo}/registry" "$autograder/cargo/"
    cp -r "$HOME/.m2" "$scratch/m2"

    docker rm -f kafka-lab-setup >/dev/null 2>&1 || true
    docker run --name kafka-lab-setup --network host "${lent[@]}" "$image" bash /autograder/source/setup.sh \
        >"$scratch/setup.log" 2>&1 || { tail -30 "$scratch/setup.log"; exit 1; }
    docker commit kafka-lab-setup kafka-lab-gradescope >/dev/null
    docker rm kafka-lab-setup >/dev/null
}

run() {
    # The submission is the handed-out workspace, with the solutions in place of the starters.
    cp -r "$autograder/source/lab/." "$autograder/submission/"
    for sources in solutions/*/src; do
        cp -r "$sources" "$autograder/submission/$(basename "$(dirname "$sources")")/"
    done
    docker run --rm --network none kafka-lab-gradescope python3 -c "import confluent_kafka"
    # The memory and the cores that docs/grading.md asks for.
    docker run --rm --network none --memory 3g --cpus 2 "${lent[@]}" kafka-lab-gradescope bash /autograder/source/run_autograder
    docker rmi kafka-lab-gradescope >/dev/null
    python3 -c "
import json, sys
results = json.load(open(sys.argv[1]))
print('Gradescope:', results['output'], len(results['tests']), 'tests, in', results['execution_time'], 's')
sys.exit(results['score'] != sum(test['max_score'] for test in results['tests']))" "$autograder/results/results.json"
}

"$1"
