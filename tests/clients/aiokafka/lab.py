"""What all programs share."""
import asyncio
import os
import signal

SERVERS = os.environ.get('BOOTSTRAP_SERVERS', '127.0.0.1:9092')


def run_until_stopped(main):
    """Runs a coroutine. Ctrl-C and SIGTERM cancel it, so its `finally` runs."""
    async def run():
        task = asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        await main

    try:
        asyncio.run(run())
    except asyncio.CancelledError:
        pass
