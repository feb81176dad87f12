"""What a firm can do as files for other systems: the forms that they read, and nothing that is the firm's own."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.machines.capability_files import WIKIPEDIA, aas_file, okw_file
from app.machines.models import Certificate, Machine
from app.packs.queries import load_pack
from tests.world import TestFirm, add_machine, has_number, make_world

Schema = dict[str, Any]
TEXT: Schema = {"type": str}
REFERENCE: Schema = {
    "required": {
        "type": {"const": "ExternalReference"},
        "keys": {"items": {"required": {"type": {"const": "GlobalReference"}, "value": {"pattern": r"https?://\S+"}}}},
    }
}
CAPABILITY: Schema = {
    "required": {
        "modelType": {"const": "Capability"},
        "idShort": {"pattern": r"[A-Za-z][A-Za-z0-9_]*"},
        "semanticId": REFERENCE,
        "qualifiers": {
            "items": {
                "required": {
                    "semanticId": REFERENCE,
                    "type": TEXT,
                    "valueType": {"const": "xs:string"},
                    "value": TEXT,
                }
            }
        },
    },
    "optional": {"supplementalSemanticIds": {"items": REFERENCE}},
}
COMMENT: Schema = {
    "required": {
        "modelType": {"const": "MultiLanguageProperty"},
        "idShort": {"const": "CapabilityComment"},
        "semanticId": REFERENCE,
        "value": {"items": {"required": {"language": {"pattern": "de|en"}, "text": TEXT}}},
    }
}


def collection(id_short: str, inside: list[Schema]) -> Schema:
    return {
        "required": {
            "modelType": {"const": "SubmodelElementCollection"},
            "idShort": {"pattern": id_short},
            "semanticId": REFERENCE,
            "value": {"any": inside},
        }
    }


ENVIRONMENT: Schema = {
    "required": {
        "submodels": {
            "items": {
                "required": {
                    "modelType": {"const": "Submodel"},
                    "kind": {"const": "Instance"},
                    "id": {"pattern": r"urn:\S+"},
                    "idShort": {"const": "CapabilityDescription"},
                    "semanticId": REFERENCE,
                    "supplementalSemanticIds": {"items": REFERENCE},
                },
                "optional": {
                    "submodelElements": {
                        "any": [
                            collection("CapabilitySet", [collection("Container_[a-z0-9_]+", [CAPABILITY, COMMENT])])
                        ]
                    }
                },
            }
        }
    }
}
FACILITY: Schema = {
    "required": {
        "name": TEXT,
        "location": {
            "required": {"address": {"required": {"city": TEXT, "country": {"const": "DE"}}}},
            "optional": {"gpsCoordinates": {"pattern": r"-?\d+\.\d\d, -?\d+\.\d\d"}},
        },
        "owner": {"required": {"name": TEXT}},
        "facilityStatus": {"pattern": "Active|Planned|Temporary Closure|Closed"},
        "accessType": {"pattern": "Restricted|Restricted with public hours|Shared space|Public|Membership"},
        "manufacturingProcesses": {"items": TEXT},
        "certifications": {"items": TEXT},
        "recordData": {"required": {"lastUpdated": {"pattern": r"\d{4}-\d\d-\d\d"}, "updatedBy": {"required": {"name": TEXT}}}},
    }
}  # fmt: skip


def check(value: Any, schema: Schema, path: str = "$") -> None:
    """Exactly these members, nothing beside them: a field that slips in fails here."""
    if "const" in schema:
        assert value == schema["const"], path
    if "pattern" in schema:
        assert re.fullmatch(schema["pattern"], value), (path, value)
    if "type" in schema:
        assert isinstance(value, schema["type"]), path
    if "items" in schema or "any" in schema:
        assert isinstance(value, list), path
    if "any" in schema:
        assert value, path
    for number, one in enumerate(value if "items" in schema or "any" in schema else ()):
        fitting = schema.get("any") or [schema["items"]]
        kinds = [kind for kind in fitting if kind.get("required", {}).get("modelType", {}).get("const") == _kind(one)]
        check(one, (kinds or fitting)[0], f"{path}[{number}]")
    if "required" in schema:
        known = schema["required"] | schema.get("optional", {})
        assert schema["required"].keys() <= value.keys() <= known.keys(), (path, set(value))
        for name, inner in value.items():
            check(inner, known[name], f"{path}.{name}")


def _kind(value: Any) -> str:
    return value.get("modelType", "") if isinstance(value, dict) else ""


@pytest.fixture
def keller(database: Database) -> TestFirm:
    with database.write() as session:
        firm = make_world(session, ("keller", "yilmaz"))["keller"]
        add_machine(session, firm, "GEHEIM-7", rate_cents=12345, process="turning")
        session.get_one(Machine, (firm.id, firm.machine_id)).name = "Hermle GEHEIM"
        session.add(
            Certificate(
                firm_id=firm.id, id=new_id(), created_at=clock.now(), type_key="iso_9001", number="GEHEIM-Z", process_keys=[],
                valid_from=dt.date(2026, 1, 1), valid_to=dt.date(2028, 1, 1), verified_at=clock.now(),
            )
        )  # fmt: skip
    return firm


def test_open_know_where_names_the_processes_by_their_articles(database: Database, keller: TestFirm) -> None:
    with database.read() as session:
        text = okw_file(session, keller.id)
    facility = yaml.safe_load(text)
    check(facility, FACILITY)
    assert facility["name"] == "Keller Metallbau"
    assert facility["location"] == {"address": {"city": "Ilmenau", "country": "DE"}, "gpsCoordinates": "50.68, 10.92"}
    assert facility["manufacturingProcesses"] == [WIKIPEDIA + "Milling_(machining)", WIKIPEDIA + "Turning"]
    assert len(facility["certifications"]) == 1


def test_the_aas_file_offers_one_capability_per_process_with_its_din_class(
    database: Database, keller: TestFirm
) -> None:
    with database.read() as session:
        text = aas_file(session, keller.id)
    environment = json.loads(text)
    check(environment, ENVIRONMENT)
    (capability_set,) = environment["submodels"][0]["submodelElements"]
    capabilities = [container["value"][0] for container in capability_set["value"]]
    assert [one["idShort"] for one in capabilities] == ["milling_5x", "turning"]
    assert [one["qualifiers"][0]["type"] for one in capabilities] == ["Offered", "Offered"]
    classes = [one["supplementalSemanticIds"][0]["keys"][0]["value"] for one in capabilities]
    assert classes == ["http://www.w3id.org/hsu-aut/DIN8580#Fraesen", "http://www.w3id.org/hsu-aut/DIN8580#Drehen"]
    ids = [one["semanticId"]["keys"][0]["value"] for one in (capability_set, capability_set["value"][0])]
    assert [iri.split("/")[-3] for iri in ids] == ["CapabilitySet", "CapabilityContainer"]


def test_no_machine_number_hour_or_rate_is_in_either_file(database: Database, keller: TestFirm) -> None:
    with database.read() as session:
        files = okw_file(session, keller.id) + aas_file(session, keller.id)
    for secret in ("GEHEIM", "Hermle", "123,45", "Werkstraße", "@keller.example", keller.machine_id):
        assert secret not in files
    assert not any(has_number(files, number) for number in ("12345", "9500"))


def test_a_firm_without_machines_has_files_without_capabilities(database: Database) -> None:
    with database.write() as session:
        firm = make_world(session, ("vogt",))["vogt"]
        session.get_one(Machine, (firm.id, firm.machine_id)).state = "retired"
    with database.read() as session:
        environment, facility = json.loads(aas_file(session, firm.id)), yaml.safe_load(okw_file(session, firm.id))
    check(environment, ENVIRONMENT)
    check(facility, FACILITY)
    assert facility["manufacturingProcesses"] == []


def test_every_process_of_an_article_is_one_of_the_pack() -> None:
    articles = yaml.safe_load(Path("app/machines/wikipedia.yaml").read_text("utf-8"))
    assert articles.keys() - load_pack().processes.keys() == set()
    assert all(re.fullmatch(r"[A-Z][A-Za-z_()-]+", article) for article in articles.values())
