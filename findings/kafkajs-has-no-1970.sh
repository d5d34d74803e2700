#!/usr/bin/env bash
# Versions: Kafka 4.4.0, kafkajs 2.2.4.
# Guess before looking: kafkajs stores a record with timestamp: 0 as a record of January 1, 1970.
#   (We wrote it as a user's expectation; we suspected that the number 0 is taken for no value.)
# Seen: the number 0 becomes the current time. The string '0' stays 0, and so does the number 1.
# Why it matters: a tool that copies records, or replays data without a time of its own, gets today's date for these
#   records only: retention, offsets by time and windows then take them for new ones.
. "$(dirname "$0")/lib/kafka.sh"
kafka_node
node_packages kafkajs@2.2.4
tool topics --create --topic clicks --partitions 1 --config retention.ms=-1 >/dev/null
cat >"$work/node/write.js" <<'JS'
const { Kafka, Partitioners, logLevel } = require('kafkajs')
const producer = new Kafka({ brokers: [process.argv[2]], logLevel: logLevel.NOTHING })
  .producer({ createPartitioner: Partitioners.DefaultPartitioner })
async function main() {
  await producer.connect()
  for (const [value, timestamp] of [['number-0', 0], ['string-0', '0'], ['number-1', 1]]) {
    await producer.send({ topic: 'clicks', messages: [{ value, timestamp }] })
  }
  await producer.disconnect()
}
main()
JS
before=$(date +%s)000
(cd "$work/node" && nice node write.js "$BOOTSTRAP") || broken "kafkajs"
tool consumer --topic clicks --from-beginning --timeout-ms 8000 --formatter-property print.timestamp=true \
    >"$work/records" 2>/dev/null
stored() { awk -v value="$1" '$2 == value { sub("CreateTime:", "", $1); print $1 }' "$work/records"; }
number=$(stored number-0)
[ "${number:-0}" -ge "$before" ] && number=now
see 'the number 0 is stored as' now "$number"
see "the string '0' is stored as" 0 "$(stored string-0)"
see 'the number 1 is stored as' 1 "$(stored number-1)"
verdict
