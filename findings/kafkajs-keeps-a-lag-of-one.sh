#!/usr/bin/env bash
# Versions: Kafka 4.4.0, kafkajs 2.2.4, confluent-kafka (Python) 2.16.1, Java's console consumer 4.4.0.
# Guess before looking: a group that has read a committed transaction to its end has a lag of 0 with every client,
#   because the client also passes the transaction's control record.
#   (We wrote it as a user's expectation; we suspected a lag of 1 with librdkafka, wrongly.)
# Seen: 10 records in one transaction end the partition at offset 11. Java and confluent-kafka commit 11, a lag of 0.
#   kafkajs commits the last record's offset plus one, 10: a lag of 1 for as long as nothing else is written.
# Why it matters: a check that waits for lag 0, or an alarm on a lag that does not shrink, never comes to rest for a
#   kafkajs group on a topic with transactional producers, one record for each partition.
. "$(dirname "$0")/lib/kafka.sh"
kafka_node
python_packages confluent-kafka==2.16.1
node_packages kafkajs@2.2.4
tool topics --create --topic sales --partitions 1 >/dev/null
cat >"$work/write_read.py" <<'PY'
import sys
from confluent_kafka import Consumer, Producer

address = sys.argv[1]
producer = Producer({"bootstrap.servers": address, "transactional.id": "till"})
producer.init_transactions()
producer.begin_transaction()
for number in range(10):
    producer.produce("sales", str(number))
producer.commit_transaction()
consumer = Consumer({"bootstrap.servers": address, "group.id": "confluent", "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, "enable.partition.eof": True})
consumer.subscribe(["sales"])
while True:  # until the end of the partition
    message = consumer.poll(30)
    if message is None or message.error():
        break
consumer.commit(asynchronous=False)
consumer.close()
PY
nice "$PYTHON" "$work/write_read.py" "$BOOTSTRAP" || broken "confluent-kafka"
cat >"$work/node/read.js" <<'JS'
const { Kafka, logLevel } = require('kafkajs')
const consumer = new Kafka({ brokers: [process.argv[2]], logLevel: logLevel.NOTHING })
  .consumer({ groupId: 'kafkajs', maxWaitTimeInMs: 500 })
let records = 0
async function main() {
  await consumer.connect()
  await consumer.subscribe({ topic: 'sales', fromBeginning: true })
  await consumer.run({ eachMessage: async () => { records += 1 } })
  for (let i = 0; i < 200 && records < 10; i++) await new Promise(done => setTimeout(done, 100))
  await new Promise(done => setTimeout(done, 4000)) // it fetches again, past the control record
  await consumer.disconnect() // commits
  console.log(records)
}
main()
JS
see 'records that kafkajs read' 10 "$(cd "$work/node" && nice node read.js "$BOOTSTRAP" 2>/dev/null)"
tool consumer --topic sales --from-beginning --group java --timeout-ms 9000 >"$work/java" 2>/dev/null
see 'records that Java read' 10 "$(wc -l <"$work/java" | tr -d ' ')"
tool consumer-groups --describe --all-groups >"$work/groups" 2>/dev/null
lag() { awk -v group="$1" '$1 == group { print $4, $5, $6 }' "$work/groups"; }
see 'committed, end and lag of Java' '11 11 0' "$(lag java)"
see 'committed, end and lag of confluent-kafka' '11 11 0' "$(lag confluent)"
see 'committed, end and lag of kafkajs' '10 11 1' "$(lag kafkajs)"
verdict
