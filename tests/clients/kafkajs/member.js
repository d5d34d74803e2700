// Task 3: one member of the group.

import { consumerOf, stopOnSignal } from './lab.js';

export async function runMember(name) {
  const consumer = consumerOf('scale-group');
  await consumer.connect();
  await consumer.subscribe({ topic: 'clickstream', fromBeginning: true });
  stopOnSignal(consumer);

  let owned = [];
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    owned = payload.memberAssignment.clickstream ?? [];
    console.log(`${name}: assigned partitions [${owned.join(', ')}]`);
  });
  consumer.on(consumer.events.REBALANCING, () => {
    console.log(`${name}: revoked partitions [${owned.join(', ')}]`);
  });

  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ topic, partition, message }) => {
      const event = JSON.parse(message.value);
      console.log(`${name}: partition=${partition} offset=${message.offset} user=${event.user_id}`);
      const next = (BigInt(message.offset) + 1n).toString();
      await consumer.commitOffsets([{ topic, partition, offset: next }]);
    },
  });
}
