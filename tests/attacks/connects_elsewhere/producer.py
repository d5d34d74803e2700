import socket
# The test listens there; its port comes with the submission.
port = int(open(__file__.replace('producer.py', 'port')).read())
for family, address in [(socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')]:
    try:
        socket.create_connection((address, port), timeout=2)
        print('LEAK connected')
    except OSError as error:
        print(f'denied {error}')
try:
    server = socket.socket()
    server.bind(('127.0.0.1', 0))
    server.listen()
    print('LEAK listens')
except OSError as error:
    print(f'denied {error}')
