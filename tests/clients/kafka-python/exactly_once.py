"""Task 6: copies purchases in transactions."""
import json

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata

from lab import LONGEST_POLL, SERVERS, Shutdown

GROUP = 'purchase-extractor'


def is_purchase(record):
    event = json.loads(record.value)
    return event['event_type'] == 'purchase' and event['amount'] is not None


def copy(batches):
    """Copies the purchases of what was polled, and moves the committed offsets past all of it."""
    producer.begin_transaction()
    for records in batches.values():
        for record in filter(is_purchase, records):
            producer.send('purchases', key=record.key, value=record.value)
    after = {partition: OffsetAndMetadata(records[-1].offset + 1) for partition, records in batches.items()}
    producer.send_offsets_to_transaction(after, consumer.group_metadata())
    producer.commit_transaction()


shutdown = Shutdown()
producer = KafkaProducer(bootstrap_servers=SERVERS, transactional_id=GROUP)
# This aborts what a killed instance left open. An older one that still runs can commit nothing more.
producer.init_transactions()
consumer = KafkaConsumer(
    'clickstream',
    bootstrap_servers=SERVERS,
    group_id=GROUP,
    auto_offset_reset='earliest',
    enable_auto_commit=False,
    isolation_level='read_committed',
    # A killed member keeps its partitions for this long, and the broker allows no less than 6 s.
    session_timeout_ms=6000,
)
while not shutdown.requested:
    batches = consumer.poll(timeout_ms=LONGEST_POLL)
    if batches:
        # If this fails, the program ends. The next one aborts the transaction and begins at the committed offsets.
        copy(batches)
        print(f'Committed a transaction with {sum(map(len, batches.values()))} events.')
consumer.close()
producer.close()
