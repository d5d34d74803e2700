# Writes to every page, so that the memory is really used.
blocks = []
while True:
    blocks.append(bytearray(b'x' * (16 << 20)))
