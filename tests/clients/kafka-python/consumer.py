"""Task 2: reads batches of 20 events, and commits each batch last."""
import json
from collections import Counter

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition

from lab import LONGEST_POLL, SERVERS, Shutdown, records_in

BATCH_SIZE = 20

batch = []
totals = Counter()


class Rebalances(ConsumerRebalanceListener):
    def on_partitions_revoked(self, revoked):
        pass

    def on_partitions_assigned(self, assigned):
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


shutdown = Shutdown()
consumer = KafkaConsumer(
    bootstrap_servers=SERVERS,
    group_id='analytics-service',
    auto_offset_reset='earliest',
    enable_auto_commit=False,
    session_timeout_ms=10000,
)
consumer.subscribe(['clickstream'], listener=Rebalances())
while not shutdown.requested:
    batch += records_in(consumer.poll(timeout_ms=LONGEST_POLL, max_records=BATCH_SIZE - len(batch)))
    if len(batch) == BATCH_SIZE:
        process()
        after = {TopicPartition(r.topic, r.partition): OffsetAndMetadata(r.offset + 1) for r in batch}
        consumer.commit(after)
        print(f'Committed batch of {BATCH_SIZE}.')
        batch.clear()
consumer.close()
