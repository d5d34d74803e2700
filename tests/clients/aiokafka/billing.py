"""Task 5: charges each payment once."""
import json
import math
import os
import sqlite3

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from lab import SERVERS, run_until_stopped

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


async def main():
    database = sqlite3.connect(os.environ.get('BILLING_DB', 'billing.db'))
    with database:
        database.execute(TABLE)
    dead_letters = AIOKafkaProducer(bootstrap_servers=SERVERS, acks='all')
    consumer = AIOKafkaConsumer(
        'payments',
        bootstrap_servers=SERVERS,
        group_id='billing-service',
        auto_offset_reset='earliest',
        enable_auto_commit=False,
    )
    await dead_letters.start()
    await consumer.start()
    try:
        async for record in consumer:
            payment = payment_in(record.value)
            if payment is None:
                await dead_letters.send_and_wait('payments.dlq', key=record.key, value=record.value)
                print(f'Dead letter: offset {record.offset} of partition {record.partition}')
            else:
                with database:
                    charged = database.execute(CHARGE, payment).rowcount
                print(f"{'Charged' if charged else 'Already charged:'} {payment[1]} ${payment[2]:.2f}")
            # Last: the committed offset is never ahead of the database.
            await consumer.commit({TopicPartition(record.topic, record.partition): record.offset + 1})
    finally:
        await consumer.stop()
        await dead_letters.stop()


run_until_stopped(main())
