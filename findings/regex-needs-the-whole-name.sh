#!/usr/bin/env bash
# Versions: Kafka 4.4.0, confluent-kafka (Python) 2.16.1 with its own librdkafka.
# Guess before looking: a consumer that subscribes to the pattern ^click reads the topic clickstream with either
#   group protocol.
#   (We wrote it as a user's expectation; we suspected that the broker wants the whole name.)
# Seen: with group.protocol=classic the client matches the pattern, and a match at the start is enough: 5 of 5 read.
#   With group.protocol=consumer the broker matches it (RE2/J), and the pattern must cover the whole name: 0 of 5, and no
#   error. ^click.* reads 5 with both.
# Why it matters: the move to the new group protocol is one setting. A program with such a pattern then reads nothing
#   and says nothing.
. "$(dirname "$0")/lib/kafka.sh"
kafka_node
python_packages confluent-kafka==2.16.1
tool topics --create --topic clickstream --partitions 1 >/dev/null
cat >"$work/read.py" <<'PY'
import sys, time
from confluent_kafka import Consumer, Producer

address = sys.argv[1]
producer = Producer({"bootstrap.servers": address})
for number in range(5):
    producer.produce("clickstream", str(number))
producer.flush()
for protocol in "classic", "consumer":
    for pattern in "^click", "^click.*":
        consumer = Consumer({"bootstrap.servers": address, "group.id": f"{protocol}-{len(pattern)}",
                             "group.protocol": protocol, "auto.offset.reset": "earliest"})
        consumer.subscribe([pattern])
        records = errors = 0
        end = time.time() + 12
        while time.time() < end and records < 5:
            message = consumer.poll(0.5)
            if message is not None:
                if message.error():
                    errors += 1
                else:
                    records += 1
        consumer.close()
        print(protocol, pattern, records, errors)
PY
nice "$PYTHON" "$work/read.py" "$BOOTSTRAP" >"$work/out" || broken "the consumers"
see 'records and errors with classic, ^click' 'classic ^click 5 0' "$(sed -n 1p "$work/out")"
see 'records and errors with classic, ^click.*' 'classic ^click.* 5 0' "$(sed -n 2p "$work/out")"
see 'records and errors with consumer, ^click' 'consumer ^click 0 0' "$(sed -n 3p "$work/out")"
see 'records and errors with consumer, ^click.*' 'consumer ^click.* 5 0' "$(sed -n 4p "$work/out")"
verdict
