# Commits offsets for groups of other tasks. That must gain no points.
import os, signal, sys, time
from confluent_kafka import Consumer, TopicPartition

signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
for group in ['analytics-service', 'scale-group', 'crash-demo-group']:
    consumer = Consumer({'bootstrap.servers': os.environ['BOOTSTRAP_SERVERS'], 'group.id': group})
    try:
        consumer.commit(offsets=[TopicPartition('clickstream', p, 1000) for p in range(3)], asynchronous=False)
        print(f'committed for {group}', flush=True)
    except Exception as error:
        print(f'{group}: {error}', flush=True)
while True:
    time.sleep(0.1)
