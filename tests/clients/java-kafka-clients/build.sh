#!/bin/bash
# Puts the programs into the folder OUT, each a script that starts a JVM: build.sh OUT
set -euo pipefail
out=$(realpath "$1")

# Maven writes next to the sources, so it works on a copy.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r "$(dirname "$0")/." "$copy"
mvn --quiet --batch-mode --file "$copy/pom.xml" package
mkdir -p "$out/lib"
cp "$copy/target/lab.jar" "$copy"/target/lib/*.jar "$out/lib"

launcher() {
    printf '#!/bin/sh\nexec java -cp "$(dirname "$0")/lib/*" %s\n' "$2" >"$out/$1"
    chmod +x "$out/$1"
}
launcher producer Producer
launcher consumer Consumer
launcher consumer_group_a "Member A"
launcher consumer_group_b "Member B"
launcher consumer_crash ConsumerCrash
launcher billing Billing
launcher exactly_once ExactlyOnce
