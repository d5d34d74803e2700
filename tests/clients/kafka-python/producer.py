"""Task 1: publishes 100 events."""
import json
import random
import time

from kafka import KafkaProducer
from kafka.errors import KafkaError

from lab import SERVERS

EVENT_TYPES = ['page_view', 'add_to_cart', 'purchase', 'search']


def random_event(event_id):
    return {
        'event_id': event_id,
        'user_id': f'user_{random.randint(1, 20)}',
        'event_type': random.choice(EVENT_TYPES),
        'timestamp': time.time(),
        'amount': round(random.uniform(10, 500), 2) if random.random() < 0.3 else None,
    }


producer = KafkaProducer(bootstrap_servers=SERVERS, acks='all')
deliveries = []
for i in range(100):
    event = random_event(i)
    deliveries.append(producer.send('clickstream', key=event['user_id'].encode(), value=json.dumps(event).encode()))

# Not `flush`: it raises at the first record that the broker refuses.
for delivery in deliveries:
    try:
        record = delivery.get()
        print(f'Delivered → topic={record.topic} partition={record.partition} offset={record.offset}')
    except KafkaError as error:
        print(f'Delivery FAILED: {error}')

producer.close()
print('Done. Published 100 events.')
