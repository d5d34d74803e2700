#!/usr/bin/env bash
# Versions: Kafka 4.4.0 with its console producer, @platformatic/kafka 1.35.0, kafkajs 2.2.4.
# Guess before looking: @platformatic/kafka hashes keys with murmur2 and so picks the same partition as Java.
#   (We had been told that a variant exists, not what it does.)
# Seen: of the keys user_1 … user_20 on three partitions, 7 go to another partition than with Java; kafkajs agrees with
#   Java on all 20. The package's compatibilityPartitioner, which is not the default, agrees, too.
# Why it matters: with producers in Java and in Node.js on one topic, a third of the keys have their records in two
#   partitions: no order for a key, wrong joins, and a compacted topic keeps two values.
. "$(dirname "$0")/lib/kafka.sh"
kafka_node
node_packages @platformatic/kafka@1.35.0 kafkajs@2.2.4
tool topics --create --topic clicks --partitions 3 >/dev/null
seq 20 | sed 's/.*/user_&:java/' | tool producer --topic clicks --reader-property parse.key=true \
    --reader-property key.separator=: 2>/dev/null
cat >"$work/node/write.mjs" <<'JS'
import { Producer, compatibilityPartitioner, stringSerializers } from '@platformatic/kafka'
import kafkajs from 'kafkajs'
const address = process.argv[2]
const messages = value => Array.from({ length: 20 }, (_, i) => ({ topic: 'clicks', key: `user_${i + 1}`, value }))
for (const [value, options] of [['default', {}], ['compatible', { partitioner: compatibilityPartitioner }]]) {
  const producer = new Producer({
    clientId: value, bootstrapBrokers: [address], serializers: stringSerializers, ...options
  })
  await producer.send({ messages: messages(value) })
  await producer.close()
}
const producer = new kafkajs.Kafka({ brokers: [address], logLevel: 0 })
  .producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
await producer.connect()
await producer.send({ topic: 'clicks', messages: messages('kafkajs') })
await producer.disconnect()
JS
(cd "$work/node" && nice node write.mjs "$BOOTSTRAP" 2>"$work/err") || broken "Node.js: $(tail -3 "$work/err")"
tool consumer --topic clicks --from-beginning --timeout-ms 8000 --formatter-property print.partition=true \
    --formatter-property print.key=true >"$work/records" 2>/dev/null
see 'records' 80 "$(wc -l <"$work/records" | tr -d ' ')"
differ() {
    awk -v who="$1" '$3 == "java" { java[$2] = $1 } $3 == who { other[$2] = $1 }
        END { for (key in other) n += other[key] != java[key]; print n + 0 }' "$work/records"
}
see 'keys that @platformatic/kafka sends elsewhere' 7 "$(differ default)"
see 'the same with its compatibilityPartitioner' 0 "$(differ compatible)"
see 'keys that kafkajs sends elsewhere' 0 "$(differ kafkajs)"
verdict
