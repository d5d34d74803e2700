"""Writes 400 MB to files that have no name any more."""
import os
import time

files = []
for number in range(8):
    files.append(open("file", "wb"))
    os.remove("file")
    for _ in range(50):
        files[-1].write(bytes(1_000_000))
    files[-1].flush()
time.sleep(10)
print("LEAK wrote 400 MB", flush=True)
