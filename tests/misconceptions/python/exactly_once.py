"""Task 6: the messages that come within half a second are one transaction."""
import json
import os
import signal
import sys

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

SERVERS = os.environ.get('BOOTSTRAP_SERVERS', '127.0.0.1:9092')
stopped = False


def stop(*_):
    global stopped
    stopped = True


def copy(messages):
    producer.begin_transaction()
    for msg in messages:
        event = json.loads(msg.value())
        if event['event_type'] == 'purchase' and event['amount'] is not None:
            producer.produce('purchases', key=msg.key(), value=json.dumps(event, sort_keys=True))
    after = {}
    for msg in messages:
        after[msg.partition()] = TopicPartition(msg.topic(), msg.partition(), msg.offset() + 1)
    producer.send_offsets_to_transaction(list(after.values()), consumer.consumer_group_metadata())
    producer.commit_transaction()


signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
producer = Producer({'bootstrap.servers': SERVERS, 'transactional.id': 'the-purchases'})
producer.init_transactions()
consumer = Consumer({
    'bootstrap.servers': SERVERS,
    'group.id': 'purchase-extractor',
    'auto.offset.reset': 'earliest',
    'enable.auto.commit': False,
    'session.timeout.ms': 6000,
})
consumer.subscribe(['clickstream'])
while not stopped:
    messages = consumer.consume(num_messages=500, timeout=0.5)
    for msg in messages:
        if msg.error():
            raise KafkaException(msg.error())
    if not messages:
        continue
    try:
        copy(messages)
    except KafkaException as error:
        print(f'aborting: {error}', file=sys.stderr)
        if not error.args[0].txn_requires_abort():
            os._exit(1)
        producer.abort_transaction()
        first = {}
        for msg in messages:
            first.setdefault(msg.partition(), msg.offset())
        for partition, offset in first.items():
            consumer.seek(TopicPartition('clickstream', partition, offset))
consumer.close()
