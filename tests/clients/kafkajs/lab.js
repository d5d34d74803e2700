// What all programs share.

import { Kafka, logLevel } from 'kafkajs';

export const kafka = new Kafka({
  brokers: (process.env.BOOTSTRAP_SERVERS || '127.0.0.1:9092').split(','),
  // At the level INFO, kafkajs writes to standard output.
  logLevel: logLevel.WARN,
});

export function consumerOf(groupId, sessionTimeout = 10000) {
  return kafka.consumer({
    groupId,
    sessionTimeout,
    // `disconnect` waits for the answer to the last fetch, and the broker may take this long. The default is 5 s.
    maxWaitTimeInMs: 500,
  });
}

export function stopOnSignal(...clients) {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, async () => {
      for (const client of clients) {
        await client.disconnect();
      }
      process.exit(0);
    });
  }
}
