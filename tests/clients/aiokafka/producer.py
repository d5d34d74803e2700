"""Task 1: publishes 100 events."""
import asyncio
import json
import random
import time

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

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


async def publish(producer, event):
    try:
        key, value = event['user_id'].encode(), json.dumps(event).encode()
        record = await producer.send_and_wait('clickstream', key=key, value=value)
        print(f'Delivered → topic={record.topic} partition={record.partition} offset={record.offset}')
    except KafkaError as error:
        print(f'Delivery FAILED: {error}')


async def main():
    async with AIOKafkaProducer(bootstrap_servers=SERVERS, acks='all', enable_idempotence=True) as producer:
        await asyncio.gather(*(publish(producer, random_event(i)) for i in range(100)))
    print('Done. Published 100 events.')


asyncio.run(main())
