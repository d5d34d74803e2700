#!/usr/bin/env bash
# Versions: Kafka 4.4.0, confluent-kafka (Python) 2.16.1.
# Guess before looking: a consumer that uses the id of a share group gets the same clear error with either group
#   protocol: inconsistent group protocol.
# Seen: with group.protocol=classic it does (INCONSISTENT_GROUP_PROTOCOL). With group.protocol=consumer the fatal error
#   is "The group id does not exist", although kafka-groups lists that id, and although an id that really does not
#   exist works well.
# Why it matters: the message sends the reader to look for a missing group. The group is there, of another type, and
#   only another id helps.
. "$(dirname "$0")/lib/kafka.sh"
kafka_node
python_packages confluent-kafka==2.16.1
tool topics --create --topic clicks --partitions 1 >/dev/null
tool configs --alter --entity-type groups --entity-name taken --add-config share.auto.offset.reset=earliest >/dev/null
seq 5 | tool producer --topic clicks 2>/dev/null
tool share-consumer --topic clicks --group taken --max-messages 5 --timeout-ms 30000 >/dev/null 2>&1
tool groups --list >"$work/groups" 2>/dev/null
see 'type of the group in kafka-groups' Share "$(awk '$1 == "taken" { print $2 }' "$work/groups")"
cat >"$work/read.py" <<'PY'
import sys, time
from confluent_kafka import Consumer

for protocol, group in ("classic", "taken"), ("consumer", "taken"), ("consumer", "free"):
    consumer = Consumer({"bootstrap.servers": sys.argv[1], "group.id": group, "group.protocol": protocol,
                         "auto.offset.reset": "earliest"})
    consumer.subscribe(["clicks"])
    result, end = "nothing", time.time() + 20
    while time.time() < end and result == "nothing":
        message = consumer.poll(0.5)
        if message is not None:
            result = message.error().str() if message.error() else "a record"
    print(result, flush=True)
    consumer.close()
PY
nice "$PYTHON" "$work/read.py" "$BOOTSTRAP" >"$work/out" 2>"$work/err"
has() { sed -n "$1p" "$work/out" | grep -o -m1 -- "$2" | head -1; }
see 'classic, the id of a share group' 'Inconsistent group protocol' "$(has 1 'Inconsistent group protocol')"
see 'consumer, the id of a share group' 'The group id does not exist' "$(has 2 'The group id does not exist')"
see 'consumer, an id that does not exist' 'a record' "$(has 3 'a record')"
verdict
