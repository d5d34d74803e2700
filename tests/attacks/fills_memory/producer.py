# Touches every page, so that it is really used.
blocks = []
while True:
    blocks.append(bytearray(b'x' * (16 << 20)))
