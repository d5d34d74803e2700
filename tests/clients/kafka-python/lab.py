"""What all programs share."""
import os
import signal

SERVERS = os.environ.get('BOOTSTRAP_SERVERS', '127.0.0.1:9092')

# In milliseconds. On a busy machine, a consumer of version 3.0.12 sometimes never gets its partitions, the less often the longer a
# poll may take. Ctrl-C has to wait for it, too.
LONGEST_POLL = 2000


class Shutdown:
    """Notes that someone pressed Ctrl-C, or that the system sent SIGTERM."""

    def __init__(self):
        self.requested = False
        signal.signal(signal.SIGINT, self.request)
        signal.signal(signal.SIGTERM, self.request)

    def request(self, *_):
        self.requested = True


def records_in(polled):
    """The records that `poll` returned, of all partitions."""
    return [record for records in polled.values() for record in records]
