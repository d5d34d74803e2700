"""Task 5: charges each payment once."""
import json
import math
import os
import sqlite3

from kafka import KafkaConsumer, KafkaProducer

from lab import LONGEST_POLL, SERVERS, Shutdown, records_in

TABLE = 'CREATE TABLE IF NOT EXISTS charges (event_id TEXT PRIMARY KEY, user_id TEXT, amount REAL)'
CHARGE = 'INSERT INTO charges (event_id, user_id, amount) VALUES (?, ?, ?) ON CONFLICT (event_id) DO NOTHING'


def payment_in(value):
    """The payment in a message; None if the message is not a payment."""
    try:
        payment = json.loads(value)
    except (TypeError, ValueError):
        return None
    if not isinstance(payment, dict):
        return None
    event_id, user_id, amount = (payment.get(name) for name in ('event_id', 'user_id', 'amount'))
    if not isinstance(event_id, str) or not event_id or not isinstance(user_id, str):
        return None
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        return None
    return (event_id, user_id, amount) if math.isfinite(amount) and amount > 0 else None


def process(batch):
    """Charges the payments of a batch, all of them or none. Messages that are not payments become dead letters."""
    with database:
        for record in batch:
            payment = payment_in(record.value)
            if payment is None:
                dead_letters.send('payments.dlq', key=record.key, value=record.value).get()
                print(f'Dead letter: offset {record.offset} of partition {record.partition}')
            else:
                database.execute(CHARGE, payment)


shutdown = Shutdown()
database = sqlite3.connect(os.environ.get('BILLING_DB', 'billing.db'))
with database:
    database.execute(TABLE)
dead_letters = KafkaProducer(bootstrap_servers=SERVERS, acks='all')
consumer = KafkaConsumer(
    'payments',
    bootstrap_servers=SERVERS,
    group_id='billing-service',
    auto_offset_reset='earliest',
    enable_auto_commit=False,
    session_timeout_ms=10000,
)
while not shutdown.requested:
    batch = records_in(consumer.poll(timeout_ms=LONGEST_POLL))
    if batch:
        process(batch)
        # Last: the committed offsets are never ahead of the database.
        consumer.commit()
        print(f'Committed batch of {len(batch)}.')
consumer.close()
dead_letters.close()
