#!/usr/bin/env bash
# Versions: Kafka 4.4.0.
# Guess before looking: kafka-get-offsets --time with a moment after the last record prints the end of the partition, or
#   -1; --time -3 (the record with the largest timestamp) on a topic with LogAppendTime prints the last offset, 9 of 10.
#   (We wrote it as a user's expectation of the first; we half suspected an empty answer.)
# Seen: the first prints nothing at all, with exit status 0; kafka-consumer-groups --reset-offsets --to-datetime with
#   the same moment takes the end, 10. The second prints 0, the first of the records that the broker stamped alike.
# Why it matters: a script that looks for where a day begins gets an empty answer when the topic was quiet since, and
#   the two tools of one release disagree on what that means. -3 is not a way to find the newest record.
. "$(dirname "$0")/lib/kafka.sh"
kafka_node
tool topics --create --topic clicks --partitions 1 --config message.timestamp.type=LogAppendTime >/dev/null
seq 10 | tool producer --topic clicks --command-property linger.ms=2000 2>/dev/null
see 'the end' clicks:0:10 "$(tool get-offsets --topic clicks 2>/dev/null)"
output=$(tool get-offsets --topic clicks --time 4070908800000 2>/dev/null)
see 'status and output for 2099' '0 ()' "$? ($output)"
tool consumer-groups --reset-offsets --group g --topic clicks --to-datetime 2099-01-01T00:00:00.000 --execute \
    >"$work/reset" 2>/dev/null
see 'reset to 2099' 10 "$(awk '$1 == "g" { print $4 }' "$work/reset")"
see 'the largest timestamp' clicks:0:0 "$(tool get-offsets --topic clicks --time -3 2>/dev/null)"
verdict
