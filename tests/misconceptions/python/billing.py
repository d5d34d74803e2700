"""Task 5 in the slides' style: sqlite3 and confluent-kafka, with one transaction and one commit for each message."""
import json
import math
import os
import sqlite3

from confluent_kafka import Consumer, Producer

servers = os.environ.get('BOOTSTRAP_SERVERS', '127.0.0.1:9092')
database = sqlite3.connect(os.environ.get('BILLING_DB', 'billing.db'))
with database:
    database.execute(
        'CREATE TABLE IF NOT EXISTS charges '
        '(id INTEGER PRIMARY KEY, user_id TEXT, amount NUMERIC, event_id TEXT NOT NULL UNIQUE)')

producer = Producer({'bootstrap.servers': servers})
consumer = Consumer({
    'bootstrap.servers': servers,
    'group.id': 'billing-service',
    'auto.offset.reset': 'earliest',
    'enable.auto.commit': False,
})
consumer.subscribe(['payments'])


def payment(value):
    event = json.loads(value)
    if not isinstance(event, dict):
        raise ValueError('no object')
    event_id, user_id, amount = (event.get(name) for name in ('event_id', 'user_id', 'amount'))
    if not isinstance(event_id, str) or not event_id or not isinstance(user_id, str):
        raise ValueError('no id or no user')
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        raise ValueError('no amount')
    if not math.isfinite(amount) or amount <= 0:
        raise ValueError('no amount above 0')
    return event_id, user_id, amount


def bury(msg):
    """Sends a message to the dead letter topic and waits for the broker's answer."""
    failures = []
    producer.produce('payments.dlq', key=msg.key(), value=msg.value(),
                     on_delivery=lambda error, _: failures.append(error) if error else None)
    producer.flush()
    if failures:
        raise Exception(failures[0])


try:
    while True:
        msg = consumer.poll(timeout=1.0)
        if msg is None:
            continue
        if msg.error():
            raise Exception(msg.error())
        try:
            event_id, user_id, amount = payment(msg.value())
        except (ValueError, TypeError) as error:
            bury(msg)
            print(f'Dead letter: {error}')
        else:
            with database:
                done = database.execute(
                    'INSERT INTO charges (event_id, user_id, amount) VALUES (?, ?, ?) '
                    'ON CONFLICT DO NOTHING', (event_id, user_id, amount))
            print(f'{"Charged" if done.rowcount else "Already charged:"} {user_id} ${amount:.2f}')
        consumer.commit(msg, asynchronous=False)
finally:
    consumer.close()
