# Deletes every topic of the broker that it was given. No other submission may notice.
import os
from confluent_kafka.admin import AdminClient

admin = AdminClient({'bootstrap.servers': os.environ['BOOTSTRAP_SERVERS']})
for topic in admin.list_topics(timeout=10).topics:
    try:
        admin.delete_topics([topic])[topic].result()
        print(f'deleted {topic}')
    except Exception as error:
        print(f'{topic}: {error}')
