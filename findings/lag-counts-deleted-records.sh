#!/usr/bin/env bash
# Versions: Kafka 4.4.0.
# Guess before looking: 100 records, the group at offset 10, the first 50 deleted: kafka-consumer-groups shows a lag of
#   50, the records that the group can still read.
#   (We wrote it as a user's expectation; we suspected that deleted records count.)
# Seen: it shows 90, the end minus the committed offset. The group's next consumer reads 50 records.
# Why it matters: after retention or kafka-delete-records has overtaken a slow group, the lag hides both facts: how many
#   records are left to read, and that 40 were lost unread.
. "$(dirname "$0")/lib/kafka.sh"
kafka_node
tool topics --create --topic clicks --partitions 1 >/dev/null
seq 100 | tool producer --topic clicks 2>/dev/null
tool consumer-groups --reset-offsets --group slow --topic clicks --to-offset 10 --execute >/dev/null 2>&1
echo '{"partitions":[{"topic":"clicks","partition":0,"offset":50}]}' >"$work/records.json"
tool delete-records --offset-json-file "$work/records.json" >/dev/null
see 'first offset' clicks:0:50 "$(tool get-offsets --topic clicks --time -2 2>/dev/null)"
tool consumer-groups --describe --group slow >"$work/group" 2>/dev/null
see 'committed, end, lag' '10 100 90' "$(awk '$1 == "slow" { print $4, $5, $6 }' "$work/group")"
tool consumer --topic clicks --group slow --from-beginning --timeout-ms 8000 >"$work/read" 2>/dev/null
see 'records the group can read' 50 "$(wc -l <"$work/read" | tr -d ' ')"
verdict
