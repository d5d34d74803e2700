// Task 2: reads batches of 20 events, and commits each batch last.

import { consumerOf, stopOnSignal } from './lab.js';

const BATCH_SIZE = 20;

const consumer = consumerOf('analytics-service');
await consumer.connect();
await consumer.subscribe({ topic: 'clickstream', fromBeginning: true });
stopOnSignal(consumer);

let batch = [];
const totals = {};

// After a rebalance, each partition goes on from its committed offset, so the messages of this batch come again.
consumer.on(consumer.events.GROUP_JOIN, () => {
  batch = [];
});

await consumer.run({
  autoCommit: false,
  eachMessage: async ({ topic, partition, message }) => {
    batch.push({ topic, partition, offset: message.offset, event: JSON.parse(message.value) });
    if (batch.length < BATCH_SIZE) {
      return;
    }

    const counts = {};
    for (const { event } of batch) {
      counts[event.event_type] = (counts[event.event_type] ?? 0) + 1;
      totals[event.event_type] = (totals[event.event_type] ?? 0) + 1;
      if (event.event_type === 'purchase' && event.amount !== null) {
        console.log(`  Purchase: user=${event.user_id} amount=$${event.amount.toFixed(2)}`);
      }
    }
    console.log(`Batch summary: ${JSON.stringify(counts)}`);
    console.log(`Running totals: ${JSON.stringify(totals)}`);

    const next = {};
    for (const { topic, partition, offset } of batch) {
      next[partition] = { topic, partition, offset: (BigInt(offset) + 1n).toString() };
    }
    batch = [];
    await consumer.commitOffsets(Object.values(next));
    console.log(`Committed batch of ${BATCH_SIZE}.`);
  },
});
