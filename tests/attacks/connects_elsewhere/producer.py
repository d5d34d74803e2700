# Tries each kind of connection that no lab program needs. Our guard must refuse them all, and nothing leaves this machine.
import socket

# The test listens on a TCP port, on the UDP port of the same number, and on a Unix socket. The files beside this script
# name them.
here = __file__.replace('producer.py', '')
port = int(open(here + 'port').read())
unix = open(here + 'unix').read()
local, MPTCP = '127.0.0.1', 262


def attempt(what, deed):
    try:
        deed()
        print(f'LEAK {what}')
    except OSError as error:
        print(f'denied {what}: {error}')


def connect(family, address, protocol=0):
    with socket.socket(family, socket.SOCK_STREAM, protocol) as client:
        client.settimeout(2)
        client.connect(address)


def send():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b'LEAK', (local, port))


def listen():
    with socket.socket() as server:
        server.bind((local, 0))
        server.listen()


attempt('TCP', lambda: connect(socket.AF_INET, (local, port)))
attempt('TCP over IPv6', lambda: connect(socket.AF_INET6, ('::1', port)))
attempt('TCP over several paths', lambda: connect(socket.AF_INET, (local, port), MPTCP))
attempt('a Unix socket', lambda: connect(socket.AF_UNIX, unix))
attempt('a datagram', send)
attempt('to listen', listen)
print('tried everything')
