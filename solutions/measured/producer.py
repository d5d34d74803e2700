# The measured producer as the slides have it, in Python. Arguments: TOPIC EVENTS [SETTING=VALUE]…
import json
import os
import sys
import time

from confluent_kafka import Producer

topic, events = sys.argv[1], int(sys.argv[2])
producer = Producer({
    "bootstrap.servers": os.environ["BOOTSTRAP_SERVERS"],
    **dict(setting.split("=", 1) for setting in sys.argv[3:]),
})
kinds = ["page_view", "add_to_cart", "purchase", "search"]
records = []
for number in range(events):
    user_id = f"user_{number % 20 + 1}"
    amount = 10 + number % 49000 / 100 if number % 3 == 0 else None
    event = {"event_id": number, "user_id": user_id, "event_type": kinds[number % 4],
             "timestamp": 1767225600.25 + number, "amount": amount}
    records.append((user_id, json.dumps(event)))
delivered = 0


def on_delivery(error, message):
    global delivered
    if error is None:
        delivered += 1


producer.list_topics(topic, 10)
start = time.perf_counter()
for key, value in records:
    while True:
        try:
            producer.produce(topic, key=key, value=value, callback=on_delivery)
            break
        except BufferError:
            producer.poll(0.01)
    producer.poll(0)
producer.flush()
print(json.dumps({"events": delivered, "seconds": time.perf_counter() - start, "next": []}))
