#!/usr/bin/env bash
# Versions: Kafka 4.4.0, kafkajs 2.2.4, confluent-kafka (Python) 2.16.1 as the group's member.
# Guess before looking: kafkajs' describeGroups reports an error for a group of the new protocol (KIP-848), and its
#   setOffsets refuses to move the offsets of a group that has a member.
#   (We wrote it as a user's expectation; we suspected Dead, and that the offsets move: wrongly.)
# Seen: describeGroups says state Dead, no members, error code 0, for a group with a live member. setOffsets refuses a
#   classic group with members, but for this group it returns without an error, and the committed offset does not move:
#   it stays 5 instead of 1. deleteGroups is refused by the broker: NON_EMPTY_GROUP.
# Why it matters: a dashboard built on the old DescribeGroups request shows a healthy group as dead, and a script that
#   resets offsets with kafkajs reports success and has changed nothing.
. "$(dirname "$0")/lib/kafka.sh"
kafka_node
python_packages confluent-kafka==2.16.1
node_packages kafkajs@2.2.4
tool topics --create --topic clicks --partitions 1 >/dev/null
seq 5 | tool producer --topic clicks 2>/dev/null
cat >"$work/member.py" <<'PY'
import sys
from confluent_kafka import Consumer

address, protocol = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": address, "group.id": protocol, "group.protocol": protocol,
                     "auto.offset.reset": "earliest", "enable.auto.commit": False})
consumer.subscribe(["clicks"])
while True:
    message = consumer.poll(0.2)
    if message is not None and not message.error():
        consumer.commit(message, asynchronous=False)
        print(message.offset(), flush=True)
PY
for protocol in classic consumer; do
    nice "$PYTHON" "$work/member.py" "$BOOTSTRAP" "$protocol" >"$work/$protocol.out" 2>"$work/$protocol.err" &
    children+=($!)
done
for _ in $(seq 150); do
    [ "$(cat "$work/classic.out" "$work/consumer.out" | wc -l)" -ge 10 ] && break
    sleep 0.2
done
cat >"$work/node/admin.js" <<'JS'
const { Kafka, logLevel } = require('kafkajs')
const admin = new Kafka({ brokers: [process.argv[2]], logLevel: logLevel.NOTHING }).admin()
async function main() {
  await admin.connect()
  for (const groupId of ['classic', 'consumer']) {
    const [group] = (await admin.describeGroups([groupId])).groups
    console.log(group.state, group.members.length, group.errorCode)
    try {
      await admin.setOffsets({ groupId, topic: 'clicks', partitions: [{ partition: 0, offset: '1' }] })
      console.log('accepted')
    } catch (error) {
      console.log('refused')
    }
    const [topic] = await admin.fetchOffsets({ groupId, topics: ['clicks'] })
    console.log(topic.partitions[0].offset)
    try {
      await admin.deleteGroups([groupId])
      console.log('accepted')
    } catch (error) {
      console.log(error.groups[0].error.type)
    }
  }
  await admin.disconnect()
}
main()
JS
tool consumer-groups --describe --group consumer --state >"$work/state" 2>/dev/null
(cd "$work/node" && nice node admin.js "$BOOTSTRAP" >"$work/out" 2>/dev/null) || broken "kafkajs"
line() { sed -n "$1p" "$work/out"; }
see "Kafka's own tool: state and members of the new group" 'Stable 1' \
    "$(awk '$1 == "consumer" { print $(NF - 1), $NF }' "$work/state")"
see 'kafkajs: state, members, error code of the classic group' 'Stable 1 0' "$(line 1)"
see 'kafkajs: setOffsets on the classic group' refused "$(line 2)"
see 'kafkajs: state, members, error code of the new group' 'Dead 0 0' "$(line 5)"
see 'kafkajs: setOffsets on the new group' accepted "$(line 6)"
see 'committed offset after setOffsets to 1' 5 "$(line 7)"
see 'kafkajs: deleteGroups on the new group' NON_EMPTY_GROUP "$(line 8)"
verdict
