"""Task 4: dies after fifteen messages, before it commits."""
import json
import os

from kafka import KafkaConsumer

from lab import SERVERS

consumer = KafkaConsumer(
    'clickstream',
    bootstrap_servers=SERVERS,
    group_id='crash-demo-group',
    auto_offset_reset='earliest',
    enable_auto_commit=False,
    session_timeout_ms=10000,
)
processed = 0
for record in consumer:
    event = json.loads(record.value)
    print(f"partition={record.partition} offset={record.offset} event_id={event['event_id']}")
    processed += 1
    if processed == 15:
        # As if the power had failed: nothing is closed, and nobody is told.
        os._exit(1)
