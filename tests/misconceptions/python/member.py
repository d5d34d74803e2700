"""Task 3 in Python: one member of the group."""
import os

from confluent_kafka import Consumer

NAME = 'A'

consumer = Consumer({
    'bootstrap.servers': os.environ.get('BOOTSTRAP_SERVERS', '127.0.0.1:9092'),
    'group.id': 'scale-group',
    'auto.offset.reset': 'earliest',
    'session.timeout.ms': 10000,
    'enable.auto.commit': False,
})


def on_assign(consumer, partitions):
    print(f'{NAME}: assigned {[p.partition for p in partitions]}')


def on_revoke(consumer, partitions):
    print(f'{NAME}: revoked {[p.partition for p in partitions]}')


consumer.subscribe(['clickstream'], on_assign=on_assign, on_revoke=on_revoke)

try:
    while True:
        msg = consumer.poll(timeout=1.0)
        if msg is None:
            continue
        if msg.error():
            raise Exception(msg.error())
        print(f'{NAME}: partition={msg.partition()} offset={msg.offset()}')
        consumer.commit(message=msg, asynchronous=False)
finally:
    consumer.close()
