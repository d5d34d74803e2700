# The measured consumer as the slides have it, in Python: batches that are committed last, each with a commit that waits.
# Arguments: GROUP BATCH EVENTS SECONDS [SETTING=VALUE]…
import json
import os
import sys
import time
from collections import Counter

from confluent_kafka import Consumer

group, batch_size, events, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
consumer = Consumer({
    "bootstrap.servers": os.environ["BOOTSTRAP_SERVERS"],
    "group.id": group,
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    **dict(setting.split("=", 1) for setting in sys.argv[5:]),
})
consumer.subscribe(["clickstream"])

totals = Counter()
batch = []
processed = 0
start = None
while True:
    message = consumer.poll(0.5)
    if message is None:
        continue
    if message.error():
        continue
    if start is None:
        start = time.perf_counter()
    batch.append(json.loads(message.value()))
    if len(batch) < batch_size:
        continue
    totals.update(Counter(event["event_type"] for event in batch))
    processed += len(batch)
    consumer.commit(asynchronous=False)
    batch = []
    if processed + batch_size > events or time.perf_counter() - start >= limit:
        break
print(json.dumps({"events": processed, "seconds": time.perf_counter() - start, "next": []}), flush=True)
# Without closing the consumer, as the measured programs in Rust.
os._exit(0)
