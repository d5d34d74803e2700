"""Task 2 as the slides show it, with running totals, batches of 20, and a commit that waits for the answer."""
import json
import os

from confluent_kafka import Consumer, KafkaError

conf = {
    'bootstrap.servers': os.environ.get('BOOTSTRAP_SERVERS', '127.0.0.1:9092'),
    'group.id': 'analytics-service',
    'auto.offset.reset': 'earliest',
    'enable.auto.commit': False,
}
consumer = Consumer(conf)
consumer.subscribe(['clickstream'])

batch = []
total_counts = {}
BATCH_SIZE = 20

try:
    while True:
        msg = consumer.poll(timeout=1.0)
        if msg is None:
            continue
        if msg.error():
            if msg.error().code() == KafkaError._PARTITION_EOF:
                continue
            raise Exception(msg.error())
        event = json.loads(msg.value())
        batch.append((msg, event))
        if len(batch) >= BATCH_SIZE:
            event_counts = {}
            for _, event in batch:
                etype = event.get('event_type', 'unknown')
                event_counts[etype] = event_counts.get(etype, 0) + 1
                if etype == 'purchase' and event.get('amount'):
                    print(f"  Purchase: user={event['user_id']} amount=${event['amount']:.2f}")
            print(f'Batch summary: {event_counts}')
            for etype, count in event_counts.items():
                total_counts[etype] = total_counts.get(etype, 0) + count
            print(total_counts)
            consumer.commit(asynchronous=False)
            print(f'Committed batch of {BATCH_SIZE}.')
            batch = []
finally:
    consumer.close()
