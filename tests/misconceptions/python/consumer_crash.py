"""Task 4 in Python."""
import json
import os

from confluent_kafka import Consumer

consumer = Consumer({
    'bootstrap.servers': os.environ.get('BOOTSTRAP_SERVERS', '127.0.0.1:9092'),
    'group.id': 'crash-demo-group',
    'auto.offset.reset': 'earliest',
    'session.timeout.ms': 10000,
    'enable.auto.commit': False,
})
consumer.subscribe(['clickstream'])

processed = 0
while True:
    msg = consumer.poll(timeout=1.0)
    if msg is None:
        continue
    if msg.error():
        raise Exception(msg.error())
    event = json.loads(msg.value())
    processed += 1
    print(f"partition={msg.partition()} offset={msg.offset()} event_id={event['event_id']}")
    if processed == 15:
        print('CRASH after 15 messages, before the commit!')
        os._exit(1)
