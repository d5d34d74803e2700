#!/usr/bin/env bash
# Versions: Kafka 4.4.0, confluent-kafka (Python) 2.16.1.
# Guess before looking: commit(asynchronous=True) without offsets commits what had been consumed when it was called. It
#   only does not wait for the answer.
# Seen: a thread of the client takes the offsets when it gets to the request. What the program consumes in between is
#   committed, too. Here, each try consumes one record, calls commit, consumes more, and then asks what is committed.
# Why it matters: "commit last" holds only with explicit offsets, or with a commit that waits. A crash before the
#   records that were consumed later are processed would lose them.
. "$(dirname "$0")/lib/kafka.sh"
kafka_node
python_packages confluent-kafka==2.16.1
tool topics --create --topic clicks --partitions 1 >/dev/null
seq 100000 | tool producer --topic clicks 2>/dev/null
cat >"$work/commit.py" <<'PY'
import sys
from confluent_kafka import Consumer, TopicPartition

more = {}
for how in "no offsets", "offsets":
    consumer = Consumer({"bootstrap.servers": sys.argv[1], "group.id": how.replace(" ", "-"),
                         "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    consumer.subscribe(["clicks"])
    more[how] = 0
    for _ in range(200):
        message = consumer.consume(1, 30)[0]
        wanted = message.offset() + 1
        if how == "offsets":
            consumer.commit(offsets=[TopicPartition("clicks", 0, wanted)], asynchronous=True)
        else:
            consumer.commit(asynchronous=True)
        consumer.consume(100, 30)
        committed = wanted - 1
        while committed < wanted:
            committed = consumer.committed([TopicPartition("clicks", 0)])[0].offset
        more[how] += committed > wanted
    consumer.close()
print("more" if more["no offsets"] else "as many")
print("more" if more["offsets"] else "as many")
PY
nice "$PYTHON" "$work/commit.py" "$BOOTSTRAP" >"$work/out" 2>"$work/err"
see 'committed, without offsets, in some of 200 tries' more "$(sed -n 1p "$work/out")"
see 'committed, with offsets, in 200 tries' 'as many' "$(sed -n 2p "$work/out")"
verdict
