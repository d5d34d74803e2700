"""Task 6: copies purchases in transactions."""
import json

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from lab import SERVERS, run_until_stopped

GROUP = 'purchase-extractor'


def is_purchase(record):
    event = json.loads(record.value)
    return event['event_type'] == 'purchase' and event['amount'] is not None


async def main():
    producer = AIOKafkaProducer(bootstrap_servers=SERVERS, transactional_id=GROUP)
    consumer = AIOKafkaConsumer(
        'clickstream',
        bootstrap_servers=SERVERS,
        group_id=GROUP,
        auto_offset_reset='earliest',
        enable_auto_commit=False,
        isolation_level='read_committed',
        # A killed member keeps its partitions for this long, and the broker allows no less than 6 s.
        session_timeout_ms=6000,
    )
    # This aborts what a killed instance left open. An older one that still runs can commit nothing more.
    await producer.start()
    await consumer.start()
    try:
        while True:
            batches = await consumer.getmany(timeout_ms=500)
            if not batches:
                continue
            purchases = 0
            # If anything fails in here, the transaction is aborted and the program ends. The next one begins at the
            # committed offsets.
            async with producer.transaction():
                for records in batches.values():
                    for record in filter(is_purchase, records):
                        await producer.send('purchases', key=record.key, value=record.value)
                        purchases += 1
                after = {partition: records[-1].offset + 1 for partition, records in batches.items()}
                await producer.send_offsets_to_transaction(after, GROUP)
            print(f'Committed a transaction with {purchases} purchases.')
    finally:
        await consumer.stop()
        await producer.stop()


run_until_stopped(main())
