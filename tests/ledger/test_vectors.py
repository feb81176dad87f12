"""No published vector is left out: every file of the folder is a case of one of the tests, under its own name."""

import pytest

from tests.ledger import test_canonical, test_merkle, test_notes, test_signatures, test_typed
from tests.ledger.vectors import ROOT, names, needs_vectors

# As the folder's own list counts them; the licences are no vectors.
COUNTS = {"rfc6962": 120, "notes": 45, "jcs": 12, "eip712": 9, "webauthn": 10}
FOLDERS = {
    "rfc6962/inclusion": test_merkle.test_inclusion_vector,
    "rfc6962/consistency": test_merkle.test_consistency_vector,
    "notes": test_notes.test_note_vector,
    "jcs/input": test_canonical.test_jcs_vector,
    "webauthn": test_signatures.test_webauthn_vector,
}


def cases(test: object) -> list[str]:
    """The names under which a test runs."""
    marks = [mark for mark in test.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    return list(marks[0].args[1])


def covered_files() -> set[str]:
    found = {f"{folder}/{name}" for folder, test in FOLDERS.items() for name in cases(test)}
    found |= {f"jcs/output/{name}" for name in cases(test_canonical.test_jcs_vector)}
    entries = [*test_typed.published()["digests"], *test_typed.published()["refused"]]
    return found | {"eip712/digests.json"} | {f"eip712/{entry['file']}" for entry in entries}


@needs_vectors
def test_every_published_file_is_a_case() -> None:
    published = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.json")}
    assert covered_files() == published
    assert not [path for path in ROOT.rglob("*") if path.is_file() and path.suffix != ".json" and "LICENSES" not in str(path)
                and path.name != "README.md"]  # fmt: skip


@needs_vectors
@pytest.mark.parametrize("folder", COUNTS)
def test_the_folder_is_complete(folder: str) -> None:
    assert len(names(folder)) == COUNTS[folder]


@needs_vectors
def test_every_typed_message_is_a_case() -> None:
    published = test_typed.published()
    assert (len(published["digests"]), len(published["refused"])) == (20, 12)
    for folder in ("eip712/eip712_messages", "eip712/fixtures"):
        for name in names(folder):
            assert any(entry["file"].endswith(name) for entry in [*published["digests"], *published["refused"]])
    tested = {(entry["file"], entry["name"]) for entry in [*published["digests"], *published["refused"]]}
    assert len(tested) == 32
