"""Task 2: reads batches of 20 events, and commits each batch last."""
import json
import sys
from collections import Counter

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError

from lab import SERVERS, run_until_stopped

BATCH_SIZE = 20

batch = []
totals = Counter()


class Rebalances(ConsumerRebalanceListener):
    async def on_partitions_revoked(self, revoked):
        pass

    async def on_partitions_assigned(self, assigned):
        # Each partition goes on from its committed offset, so the messages of this batch come again.
        batch.clear()


def process():
    events = [json.loads(record.value) for record in batch]
    for event in events:
        if event['event_type'] == 'purchase' and event['amount'] is not None:
            print(f"  Purchase: user={event['user_id']} amount=${event['amount']:.2f}")
    counts = Counter(event['event_type'] for event in events)
    totals.update(counts)
    print(f'Batch summary: {dict(counts)}')
    print(f'Running totals: {dict(totals)}')


async def main():
    consumer = AIOKafkaConsumer(
        bootstrap_servers=SERVERS,
        group_id='analytics-service',
        auto_offset_reset='earliest',
        enable_auto_commit=False,
    )
    consumer.subscribe(['clickstream'], listener=Rebalances())
    await consumer.start()
    try:
        async for record in consumer:
            batch.append(record)
            if len(batch) < BATCH_SIZE:
                continue
            process()
            after = {TopicPartition(record.topic, record.partition): record.offset + 1 for record in batch}
            try:
                await consumer.commit(after)
                print(f'Committed batch of {BATCH_SIZE}.')
            except CommitFailedError as error:
                # The group has given the partitions to another member, and the batch with them.
                print(error, file=sys.stderr)
            batch.clear()
    finally:
        await consumer.stop()


run_until_stopped(main())
