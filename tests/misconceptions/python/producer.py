"""Task 1 as the slides show it."""
import json
import os
import random
import time

from confluent_kafka import Producer

conf = {
    'bootstrap.servers': os.environ.get('BOOTSTRAP_SERVERS', '127.0.0.1:9092'),
    'acks': 'all',
    'retries': 3,
    'linger.ms': 5,
}
producer = Producer(conf)


def delivery_report(err, msg):
    if err:
        print(f'Delivery FAILED: {err}')
    else:
        print(f'Delivered → topic={msg.topic()} partition={msg.partition()} offset={msg.offset()}')


event_types = ['page_view', 'add_to_cart', 'purchase', 'search']

for i in range(100):
    user_id = f'user_{random.randint(1, 20)}'
    event = {
        'event_id': i,
        'user_id': user_id,
        'event_type': random.choice(event_types),
        'timestamp': time.time(),
        'amount': round(random.uniform(10, 500), 2) if random.random() > 0.7 else None,
    }
    producer.produce(topic='clickstream', key=user_id, value=json.dumps(event), callback=delivery_report)
    producer.poll(0)

producer.flush()
print('Done. Published 100 events.')
