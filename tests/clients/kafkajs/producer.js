// Task 1: publishes 100 events.

import { kafka } from './lab.js';

const EVENT_TYPES = ['page_view', 'add_to_cart', 'purchase', 'search'];

function randomEvent(eventId) {
  return {
    event_id: eventId,
    user_id: `user_${1 + Math.floor(Math.random() * 20)}`,
    event_type: EVENT_TYPES[Math.floor(Math.random() * EVENT_TYPES.length)],
    timestamp: Date.now() / 1000,
    amount: Math.random() < 0.3 ? Math.round(1000 + Math.random() * 49000) / 100 : null,
  };
}

// An idempotent producer publishes a record once, even if it has to send it again.
const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
await producer.connect();

for (let eventId = 0; eventId < 100; eventId++) {
  const event = randomEvent(eventId);
  const message = { key: event.user_id, value: JSON.stringify(event) };
  try {
    const [report] = await producer.send({ topic: 'clickstream', acks: -1, messages: [message] });
    console.log(`Delivered → topic=${report.topicName} partition=${report.partition} offset=${report.baseOffset}`);
  } catch (error) {
    console.log(`Delivery FAILED: ${error.message}`);
  }
}

await producer.disconnect();
console.log('Done. Published 100 events.');
