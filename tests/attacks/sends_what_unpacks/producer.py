"""Sends 48 MB as a few kilobytes: zeros, compressed."""
import os
from confluent_kafka import Producer

producer = Producer(
    {
        "bootstrap.servers": os.environ["BOOTSTRAP_SERVERS"],
        "compression.type": "gzip",
        "batch.size": 100_000_000,
        "linger.ms": 1_000,
    }
)
for _ in range(60):
    producer.produce("clickstream", bytes(800_000))
producer.flush()
print("sent everything", flush=True)
