// Task 4: dies after fifteen messages, before it commits.

import { consumerOf } from './lab.js';

const consumer = consumerOf('crash-demo-group');
await consumer.connect();
await consumer.subscribe({ topic: 'clickstream', fromBeginning: true });

let processed = 0;
await consumer.run({
  autoCommit: false,
  eachMessage: async ({ partition, message }) => {
    const event = JSON.parse(message.value);
    console.log(`partition=${partition} offset=${message.offset} event_id=${event.event_id}`);
    processed += 1;
    if (processed === 15) {
      // As if the power had failed: nothing is closed, and nobody is told.
      process.kill(process.pid, 'SIGKILL');
    }
  },
});
