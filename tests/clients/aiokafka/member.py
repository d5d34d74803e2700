"""Task 3: one member of the group."""
import json

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from lab import SERVERS, run_until_stopped


class PrintRebalances(ConsumerRebalanceListener):
    def __init__(self, name):
        self.name = name

    async def on_partitions_revoked(self, revoked):
        print(f'{self.name}: revoked partitions {sorted(p.partition for p in revoked)}')

    async def on_partitions_assigned(self, assigned):
        print(f'{self.name}: assigned partitions {sorted(p.partition for p in assigned)}')


async def read(name):
    consumer = AIOKafkaConsumer(
        bootstrap_servers=SERVERS,
        group_id='scale-group',
        auto_offset_reset='earliest',
        enable_auto_commit=False,
        session_timeout_ms=10000,
    )
    consumer.subscribe(['clickstream'], listener=PrintRebalances(name))
    await consumer.start()
    try:
        async for record in consumer:
            event = json.loads(record.value)
            print(f"{name}: partition={record.partition} offset={record.offset} user={event['user_id']}")
            await consumer.commit({TopicPartition(record.topic, record.partition): record.offset + 1})
    finally:
        await consumer.stop()


def run(name):
    run_until_stopped(read(name))
