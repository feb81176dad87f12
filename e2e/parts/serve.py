"""A loopback server for the gallery: pages under the strict content policy, static files, service worker, recorded POSTs."""

import json
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from app.web.static import script
from e2e.parts.gallery import LOOKS, ROOT, Facts, Link, World, render_page

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SHELL = ["/static/css/app.css", "/static/icons/sprite.svg", "/static/js/app.js", "/static/js/queue.js"]
POLICY = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'"


class Gallery(ThreadingHTTPServer):
    """Serves until closed; `posts` holds (path, body), `answers` what a POST to a path gets as (status, JSON), `slow` seconds."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), partial(Pages, directory=str(ROOT)))
        self.url = f"http://localhost:{self.server_port}"
        self.posts: list[tuple[str, str]] = []
        self.answers: dict[str, tuple[int, dict[str, object]]] = {}
        self.extra: dict[str, str] = {}
        self.slow: dict[str, float] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Pages(SimpleHTTPRequestHandler):
    """A page of the gallery at /<look>/<page>, everything else from the repository."""

    server: Gallery

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        parts = path.strip("/").split("/")
        time.sleep(self.server.slow.get(path, 0))
        if path in self.server.extra:
            self._send(self.server.extra[path], "text/html; charset=utf-8")
        elif path in ("/sw.js", "/uebung/sw.js"):
            self._send(worker(path.removesuffix("sw.js")), "text/javascript")
        elif parts[0] in LOOKS:
            self._send(page_of(parts[1], parts[0]), "text/html; charset=utf-8")
        elif path.endswith(".js"):
            self._send(script(ROOT / path.removeprefix("/")), "text/javascript")
        elif parts[0] == "static":
            super().do_GET()
        else:
            self._send("{}", "application/json")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.posts.append((self.path, body))
        status, answer = self.server.answers.get(self.path, (200, {}))
        self._send(json.dumps(answer), "application/json", status)

    def _send(self, body: str, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def page_of(name: str, look: str) -> str:
    """Return a page; the form is shown with its faults in one look, the list in the practice world."""
    world = World(True, "Yilmaz · Meister", links=(Link("#", "Wechseln"),)) if name == "anfragen" else World()
    errors = Facts().faults if (name, look) == ("formular", "dunkel") else ()
    return render_page(name, LOOKS[look], world, errors=errors)


def worker(root: str) -> str:
    """Return the service worker with the four constants that the web room puts in front."""
    values = {"VERSION": "1", "ROOT": root, "SHELL": SHELL, "OFFLINE": "/hell/leer"}
    head = "".join(f"const {name}={json.dumps(value)};" for name, value in values.items())
    return head + "\n" + script(ROOT / "static" / "sw.js")
