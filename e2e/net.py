"""The net between a phone and its node, which a test cuts wherever it likes: a pipe on loopback that counts bytes."""

import socket
import threading
from contextlib import suppress


class Net:
    """Forwards `port` to the node. Cut, it takes no call; `cut_after(n)` cuts once n bytes of an answer or a call went by.

    Counting begins with the next POST: pages and their parts come through before.
    """

    def __init__(self, port: int, to_port: int) -> None:
        self.port, self.to_port = port, to_port
        self.is_cut = False
        self._budget: dict[str, int] = {}
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._listen, daemon=True).start()

    def cut(self) -> None:
        self.is_cut = True
        with self._lock:
            live, self._open = self._open, set()
        for one in live:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def mend(self) -> None:
        self._budget = {}
        self.is_cut = False

    def cut_after(self, direction: str, count: int) -> None:
        """`direction` up: the phone's POST is torn; down: it arrives, and the answer is torn."""
        self._budget = {direction: count}

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _listen(self) -> None:
        while True:
            try:
                phone, _ = self._listener.accept()
            except OSError:
                return
            if self.is_cut:
                phone.close()
                continue
            try:
                node = socket.create_connection(("127.0.0.1", self.to_port), 10)
            except OSError:
                phone.close()
                continue
            with self._lock:
                self._open |= {phone, node}
            has_post = threading.Event()
            for ends in ((phone, node, "up"), (node, phone, "down")):
                threading.Thread(target=self._carry, args=(*ends, has_post), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, way: str, has_post: threading.Event) -> None:
        with suppress(OSError):
            while data := source.recv(16384):
                if way == "up" and data.startswith(b"POST "):
                    has_post.set()
                if has_post.is_set() and way in self._budget:
                    left = self._budget[way]
                    self._budget[way] = left - len(data)
                    if left < len(data):
                        target.sendall(data[: max(0, left)])
                        self.cut()
                        return
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
