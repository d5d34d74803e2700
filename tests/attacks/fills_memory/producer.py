# Takes 1.5 GB, and writes to every page, so that the memory is really used. The guard must stop it before the end.
import time

blocks = [bytearray(b'x' * (16 << 20)) for _ in range(96)]
time.sleep(5)
print('LEAK took 1.5 GB')
