#!/usr/bin/env bash
# Versions: Kafka 4.4.0, confluent-kafka (Python) 2.16.1, kafka-python 3.0.12, aiokafka 0.14.0, kafkajs 2.2.4.
# Guess before looking: an empty key is a key like any other: every client sends all its records to one partition.
#   (We wrote it as a user's expectation; librdkafka's documentation says otherwise.)
# Seen: kafka-python, aiokafka and kafkajs do. librdkafka's default partitioner (consistent_random) treats an empty key
#   as no key and spreads the records; its partitioners consistent, murmur2_random and fnv1a_random do not.
# Why it matters: where an empty string stands for "no user" or "no tenant", those records keep their order with one
#   client and lose it with another. A change of librdkafka's partitioner changes that, too.
. "$(dirname "$0")/lib/kafka.sh"
kafka_node
python_packages confluent-kafka==2.16.1 kafka-python==3.0.12 aiokafka==0.14.0
node_packages kafkajs@2.2.4
tool topics --create --topic clicks --partitions 3 >/dev/null
cat >"$work/write.py" <<'PY'
import asyncio, sys
import aiokafka, confluent_kafka, kafka

address = sys.argv[1]
for partitioner in "consistent_random", "consistent", "murmur2_random", "fnv1a_random":
    config = {"bootstrap.servers": address, "partitioner": partitioner, "sticky.partitioning.linger.ms": 0}
    if partitioner == "consistent_random":
        del config["partitioner"]  # it is the default
    producer, seen = confluent_kafka.Producer(config), set()
    for _ in range(30):
        producer.produce("clicks", key="", value="v", callback=lambda error, message: seen.add(message.partition()))
        producer.flush()
    print("confluent-kafka", partitioner, "one" if len(seen) == 1 else "several")
producer = kafka.KafkaProducer(bootstrap_servers=address)
seen = {producer.send("clicks", key=b"", value=b"v").get().partition for _ in range(30)}
print("kafka-python", "one" if len(seen) == 1 else "several")

async def main():
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=address)
    await producer.start()
    seen = {(await producer.send_and_wait("clicks", key=b"", value=b"v")).partition for _ in range(30)}
    await producer.stop()
    print("aiokafka", "one" if len(seen) == 1 else "several")

asyncio.run(main())
PY
cat >"$work/node/write.js" <<'JS'
const { Kafka, Partitioners, logLevel } = require('kafkajs')
const producer = new Kafka({ brokers: [process.argv[2]], logLevel: logLevel.NOTHING })
  .producer({ createPartitioner: Partitioners.DefaultPartitioner })
async function main() {
  await producer.connect()
  const seen = new Set()
  for (let i = 0; i < 30; i++) {
    seen.add((await producer.send({ topic: 'clicks', messages: [{ key: '', value: 'v' }] }))[0].partition)
  }
  await producer.disconnect()
  console.log('kafkajs', seen.size === 1 ? 'one' : 'several')
}
main()
JS
nice "$PYTHON" "$work/write.py" "$BOOTSTRAP" >"$work/out" 2>"$work/err" || broken "Python: $(tail -3 "$work/err")"
(cd "$work/node" && nice node write.js "$BOOTSTRAP" >>"$work/out") || broken "kafkajs"
partitions() { sed -n "s/^$1 //p" "$work/out"; }
see 'confluent-kafka, default partitioner' several "$(partitions 'confluent-kafka consistent_random')"
see 'confluent-kafka, consistent' one "$(partitions 'confluent-kafka consistent')"
see 'confluent-kafka, murmur2_random' one "$(partitions 'confluent-kafka murmur2_random')"
see 'confluent-kafka, fnv1a_random' one "$(partitions 'confluent-kafka fnv1a_random')"
for client in kafka-python aiokafka kafkajs; do see "$client" one "$(partitions $client)"; done
verdict
