// Task 6: copies purchases in transactions.

import { consumerOf, kafka, stopOnSignal } from './lab.js';

const GROUP = 'purchase-extractor';

// The same transactional id at every start: `connect` then fences an older instance, and aborts what it left open.
const producer = kafka.producer({ transactionalId: GROUP, idempotent: true, maxInFlightRequests: 1 });
await producer.connect();

// A killed member keeps its partitions until its session times out, and the broker allows no less than 6 s.
const consumer = consumerOf(GROUP, 6000);
await consumer.connect();
await consumer.subscribe({ topic: 'clickstream', fromBeginning: true });
stopOnSignal(consumer, producer);

/** Copies the purchases of one partition's batch, and moves the committed offset past the batch. */
async function copy(batch) {
  const purchases = batch.messages.filter(({ value }) => {
    const event = JSON.parse(value);
    return event.event_type === 'purchase' && event.amount !== null;
  });
  const next = (BigInt(batch.lastOffset()) + 1n).toString();

  const transaction = await producer.transaction();
  if (purchases.length > 0) {
    const copies = purchases.map(({ key, value }) => ({ key, value }));
    await transaction.send({ topic: 'purchases', acks: -1, messages: copies });
  }
  const topics = [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset: next }] }];
  await transaction.sendOffsets({ consumerGroupId: GROUP, topics });
  await transaction.commit();
  console.log(`Committed a batch of ${batch.messages.length}: ${purchases.length} purchases.`);
}

await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch }) => {
    try {
      await copy(batch);
    } catch (error) {
      // After a restart, `connect` aborts the open transaction, and each partition goes on from its committed offset.
      console.error(`The transaction failed: ${error.message}`);
      process.exit(1);
    }
  },
});
