# Runs a command. When the command has ended, runs the shell command AFTER and removes FOLDER.
# usage: sh keep.sh owned|kept FOLDER AFTER COMMAND…
# `owned`: the owner holds the other end of standard input. When the owner closes it or ends, the command is killed.
# `kept`: the command runs until somebody ends it.
mode=$1
folder=$2
after=$3
shift 3
trap '' HUP INT
echo $$ >"$folder/keeper.new" && mv "$folder/keeper.new" "$folder/keeper"
(
    sh -c 'echo $$ >"$0/pid"; exec "$@"' "$folder" "$@" >"$folder/server.log" 2>&1 </dev/null
    echo $? >"$folder/exit"
) &
command=$!
if [ "$mode" = owned ]; then
    cat >/dev/null
    until [ -s "$folder/pid" ] || [ -e "$folder/exit" ]; do sleep 0.05; done
    kill -9 "$(cat "$folder/pid")" 2>/dev/null
fi
wait $command
eval "$after" >/dev/null 2>&1 </dev/null
rm -rf "$folder"
