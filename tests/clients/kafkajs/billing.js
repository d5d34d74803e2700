// Task 5: charges each payment once.

import Database from 'libsql';

import { consumerOf, kafka, stopOnSignal } from './lab.js';

// A restarted instance may have to wait until the old one's transaction is over.
const database = new Database(process.env.BILLING_DB || 'billing.db', { timeout: 5000 });
database.exec('CREATE TABLE IF NOT EXISTS charges (event_id TEXT PRIMARY KEY, user_id TEXT, amount REAL)');
const charge = database.prepare(
  'INSERT INTO charges (event_id, user_id, amount) VALUES (?, ?, ?) ON CONFLICT (event_id) DO NOTHING',
);

const consumer = consumerOf('billing-service');
const deadLetters = kafka.producer();
await deadLetters.connect();
await consumer.connect();
await consumer.subscribe({ topic: 'payments', fromBeginning: true });
stopOnSignal(consumer, deadLetters);

/** The payment in a message, or null if the message is not a payment. */
function paymentIn(value) {
  let payment;
  try {
    payment = JSON.parse(value);
  } catch {
    return null;
  }
  const isPayment =
    typeof payment?.event_id === 'string' &&
    payment.event_id !== '' &&
    typeof payment.user_id === 'string' &&
    Number.isFinite(payment.amount) &&
    payment.amount > 0;
  return isPayment ? payment : null;
}

await consumer.run({
  autoCommit: false,
  eachMessage: async ({ topic, partition, message }) => {
    const payment = paymentIn(message.value);
    if (payment === null) {
      const letter = { key: message.key, value: message.value };
      await deadLetters.send({ topic: 'payments.dlq', acks: -1, messages: [letter] });
      console.log(`Dead letter: offset ${message.offset} of partition ${partition}`);
    } else {
      // The database recognizes a payment that comes again.
      const { changes } = charge.run(payment.event_id, payment.user_id, payment.amount);
      const what = changes === 1 ? 'Charged' : 'Already charged:';
      console.log(`${what} ${payment.user_id} $${payment.amount.toFixed(2)} (${payment.event_id})`);
    }
    const next = (BigInt(message.offset) + 1n).toString();
    await consumer.commitOffsets([{ topic, partition, offset: next }]);
  },
});
