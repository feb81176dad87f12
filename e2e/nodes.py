"""Several nodes that know of each other only by what the network carries."""

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser

from e2e.node import Node, free_port
from e2e.phone import Phone
from tests.push.service import PushService

NAMES = ("saale.test", "werra.test", "ilm.test")


@dataclass
class Ring:
    """Nodes that are separate processes, and the phones of their people."""

    browser: Browser
    nodes: list[Node]
    push_service: PushService
    phones: list[Phone] = field(default_factory=list)

    @classmethod
    def start(cls, browser: Browser, folder: Path, push_service: PushService, databases: tuple[str, ...]) -> "Ring":
        """One node per database address; an empty one is SQLite in the node's own folder."""
        ports = [free_port() for _ in databases]
        near = ",".join(f"localhost:{port}" for port in ports)
        ring = cls(browser, [], push_service)
        try:
            for name, port, url in zip(NAMES, ports, databases, strict=False):
                home = folder / name / "data"
                home.parent.mkdir()
                more = {"NODE_NAME": name, "FEDERATION_TEST_NODES": near} | ({"DATABASE_URL": url} if url else {})
                ring.nodes.append(Node.start(home, push_service.host, port=port, more=more))
        except RuntimeError:
            ring.stop()
            raise
        return ring

    def pick_up(self, node: int, name: str, push: str = "") -> Phone:
        """A phone of somebody on that node; `push` names its subscription."""
        stub = self.push_service.new_phone(push) if push else None
        self.phones.append(Phone.pick_up(self.browser, self.nodes[node].url, name, push=stub))
        return self.phones[-1]

    def stop(self) -> None:
        for phone in self.phones:
            phone.context.close()
        for node in self.nodes:
            node.stop()
