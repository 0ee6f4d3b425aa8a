"""A web server on this machine that misbehaves as it is told, for the tests of the downloads."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Answers each address by its list of behaviours, one a request, the last one for ever; notes what was asked."""

    def __init__(self, port):
        self.home = f'http://127.0.0.1:{port}'
        self.plans, self.asked, self.release = {}, [], threading.Event()

    def serve(self, path, *behaviours):
        """Set the answers of a path; returns its address."""
        self.plans[path] = list(behaviours)
        return self.home + path

    def ranges(self, path):
        """The Range headers that came for a path, in order; None where a request had none."""
        return [headers['Range'] for asked, headers in self.asked if asked == path]


@contextlib.contextmanager
def running():
    """A Server that answers until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append((self.path, dict(self.headers) | {'Range': self.headers['Range']}))
            plan = server.plans.get(self.path, [status(404)])
            behaviour = plan.pop(0) if len(plan) > 1 else plan[0]
            with contextlib.suppress(ConnectionError):
                behaviour(self, server)

        def log_message(self, *_):
            """Keep the test output clean."""

    http = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server = Server(http.server_port)
    thread = threading.Thread(target=http.serve_forever, kwargs={'poll_interval': 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        http.shutdown()
        thread.join()
        http.server_close()


def send(handler, code, headers, body):
    """One answer, as it is given."""
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name, str(value))
    handler.end_headers()
    handler.wfile.write(body)


def good(content, etag='"v1"'):
    """The file, or the range of it that is asked for, while If-Range names this version."""

    def answer(handler, server):
        asked, version = handler.headers['Range'], handler.headers['If-Range']
        if not asked or version not in (None, etag):
            send(handler, 200, {'Content-Length': len(content), 'ETag': etag}, content)
            return
        start = int(asked.removeprefix('bytes=').rstrip('-'))
        if start >= len(content):
            send(handler, 416, {'Content-Length': 0}, b'')
            return
        place = f'bytes {start}-{len(content) - 1}/{len(content)}'
        rest = content[start:]
        send(handler, 206, {'Content-Length': len(rest), 'Content-Range': place, 'ETag': etag}, rest)

    return answer


def no_ranges(content):
    """The whole file, whatever is asked for."""
    return lambda handler, server: send(handler, 200, {'Content-Length': len(content)}, content)


def no_length(content):
    """The whole file without its length; the end of the line is the end of the file."""
    return lambda handler, server: send(handler, 200, {}, content)


def announces(length, content, etag='"v1"'):
    """A length that is not the file's; fewer or more bytes follow."""
    return lambda handler, server: send(handler, 200, {'Content-Length': length, 'ETag': etag}, content)


def stalls(content, after, etag='"v1"'):
    """Some bytes of the file, then nothing, with the line left open."""

    def answer(handler, server):
        send(handler, 200, {'Content-Length': len(content), 'ETag': etag}, content[:after])
        server.release.wait(10)

    return answer


def status(code, **headers):
    """An error; Retry_After='7' becomes a header."""
    named = {name.replace('_', '-'): value for name, value in headers.items()}
    return lambda handler, server: send(handler, code, {'Content-Length': 0} | named, b'')


def page(text):
    """A web page instead of the file, as hosts answer that want a click."""
    head = {'Content-Type': 'text/html; charset=utf-8', 'Content-Length': len(text)}
    return lambda handler, server: send(handler, 200, head, text)
