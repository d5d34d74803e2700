#!/usr/bin/env bash
# Versions: the command-line tools of Kafka 4.4.0.
# Guess before looking: a tool that could not do its work exits with a status other than 0.
#   (We wrote it as a user's expectation; we knew of two cases and suspected more.)
# Seen: kafka-topics, kafka-get-offsets and kafka-transactions exit with 1 for a topic or an id that does not exist.
#   The status is 0 for a console producer whose record was refused as too large, for kafka-delete-records of a
#   partition that does not exist, for kafka-consumer-groups (--describe, --delete, --delete-offsets) and
#   kafka-share-groups --delete with a group that does not exist, and for a reset of offsets on a topic that does not
#   exist. kafka-configs exits with 1 for --alter of a topic that does not exist, but with 0 for --describe.
# Why it matters: scripts and CI jobs that rely on `set -e` or `&&` go on after a failed load, deletion or reset of
#   offsets. They must read the output instead.
. "$(dirname "$0")/lib/kafka.sh"
kafka_node
tool topics --create --topic small --partitions 1 --config max.message.bytes=100 >/dev/null
status() { # EXPECTED WORD ARG…: the exit status must be EXPECTED and the output must hold WORD
    local expected=$1 word=$2 status
    shift 2
    tool "$@" >"$work/out" 2>&1
    status=$?
    grep -q -- "$word" "$work/out" && word=said
    see "$(echo "$*" | sed "s#$work/##")" "$expected said" "$status $word"
}
head -c 3000 /dev/zero | tr '\0' x >"$work/large"
echo '{"partitions":[{"topic":"small","partition":7,"offset":1}]}' >"$work/records.json"
status 1 'does not exist' topics --describe --topic none
status 1 'Could not match' get-offsets --topic none
status 1 'could not be found' transactions describe --transactional-id none
status 1 'UnknownTopicOrPartition' configs --alter --entity-type topics --entity-name none \
    --add-config retention.ms=1000
status 0 'RecordTooLarge' producer --topic small <"$work/large"
status 0 'completed' delete-records --offset-json-file "$work/records.json"
status 0 'not found' consumer-groups --describe --group none
status 0 'Error: Deletion of some' consumer-groups --delete --group none
status 0 'Error:' consumer-groups --delete-offsets --group none --topic small
status 0 'Error:' consumer-groups --reset-offsets --group new --topic none --to-earliest --execute
status 0 'Error: Deletion of some' share-groups --delete --group none
status 0 "doesn't exist" configs --describe --entity-type topics --entity-name none
see 'records in the topic' small:0:0 "$(tool get-offsets --topic small 2>/dev/null)"
verdict
