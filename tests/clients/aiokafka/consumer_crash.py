"""Task 4: dies after fifteen messages, before it commits."""
import asyncio
import json
import os

from aiokafka import AIOKafkaConsumer

from lab import SERVERS


async def main():
    consumer = AIOKafkaConsumer(
        'clickstream',
        bootstrap_servers=SERVERS,
        group_id='crash-demo-group',
        auto_offset_reset='earliest',
        enable_auto_commit=False,
    )
    await consumer.start()
    processed = 0
    async for record in consumer:
        event = json.loads(record.value)
        print(f"partition={record.partition} offset={record.offset} event_id={event['event_id']}")
        processed += 1
        if processed == 15:
            # As if the power had failed: nothing is closed, and nobody is told.
            os._exit(1)


asyncio.run(main())
