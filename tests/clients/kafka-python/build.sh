#!/bin/bash
# Puts the programs into the folder OUT, with a Python environment that has the client: build.sh OUT
set -euo pipefail
out=$(realpath "$1")
cd "$(dirname "$0")"

python3 -m venv "$out/environment"
"$out/environment/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt
cp ./*.py "$out"

# -u: a line is written when it is printed, not when a buffer is full.
for program in producer consumer consumer_group_a consumer_group_b consumer_crash billing exactly_once; do
    cat >"$out/$program" <<END
#!/bin/sh
here=\$(dirname "\$0")
exec "\$here/environment/bin/python" -u "\$here/$program.py"
END
    chmod +x "$out/$program"
done
