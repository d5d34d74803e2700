"""Task 3: one member of the group."""
import json

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition

from lab import LONGEST_POLL, SERVERS, Shutdown, records_in


class PrintRebalances(ConsumerRebalanceListener):
    def __init__(self, name):
        self.name = name

    def on_partitions_revoked(self, revoked):
        print(f'{self.name}: revoked partitions {sorted(p.partition for p in revoked)}')

    def on_partitions_assigned(self, assigned):
        print(f'{self.name}: assigned partitions {sorted(p.partition for p in assigned)}')


def run(name):
    shutdown = Shutdown()
    consumer = KafkaConsumer(
        bootstrap_servers=SERVERS,
        group_id='scale-group',
        auto_offset_reset='earliest',
        enable_auto_commit=False,
        session_timeout_ms=10000,
    )
    consumer.subscribe(['clickstream'], listener=PrintRebalances(name))
    while not shutdown.requested:
        for record in records_in(consumer.poll(timeout_ms=LONGEST_POLL)):
            event = json.loads(record.value)
            print(f"{name}: partition={record.partition} offset={record.offset} user={event['user_id']}")
            consumer.commit({TopicPartition(record.topic, record.partition): OffsetAndMetadata(record.offset + 1)})
    consumer.close()
