"""What the firm can do, as files for other systems: classes of capability only, no machine, hour or rate.

Both are written from the same profile that partners get. Open Know-Where 1.0 (2022) names properties by their labels in camel
case; the AAS file follows IDTA 02020 Capability Description 1.0 in AAS metamodel 3.0.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.orm import Session

from app.core import clock
from app.firms.models import Firm
from app.firms.queries import firm_of
from app.machines.profile import DEGREE, profile_of
from app.packs.queries import load_pack

WIKIPEDIA = "https://en.wikipedia.org/wiki/"
IDTA = "https://admin-shell.io/idta/CapabilityDescription"
TEMPLATE = "https://admin-shell.io/idta/SubmodelTemplate/CapabilityDescription/1/0"
COARSE = 2
"""Decimals of the place: about a kilometre"""
Json = dict[str, Any]


def okw_file(session: Session, firm_id: str) -> str:
    """The firm as a manufacturing facility of Open Know-Where, in YAML."""
    firm, profile = firm_of(session, firm_id), profile_of(session, firm_id)
    owner = {"name": firm.name}
    facility: Json = {
        "name": firm.name,
        "location": _location(firm, profile),
        "owner": owner,
        "facilityStatus": "Active",
        "accessType": "Restricted",
        "manufacturingProcesses": sorted({_article(one["key"]) for one in profile["processes"]}),
        "certifications": [one["name"] for one in profile["certificates"]],
        "recordData": {"lastUpdated": clock.today().isoformat(), "updatedBy": owner},
    }
    return str(yaml.safe_dump(facility, allow_unicode=True, sort_keys=False, width=120))


def aas_file(session: Session, firm_id: str) -> str:
    """The firm's offered capabilities as an AAS environment with one submodel, in JSON."""
    firm, profile = firm_of(session, firm_id), profile_of(session, firm_id)
    containers = [_container(one) for one in profile["processes"]]
    submodel: Json = {
        "modelType": "Submodel",
        "kind": "Instance",
        "id": f"urn:werkring:capability-description:{firm.address}",
        "idShort": "CapabilityDescription",
        "semanticId": _reference(TEMPLATE),
        "supplementalSemanticIds": [_reference(f"{IDTA}/1/0/Submodel")],
    }
    # the metamodel forbids empty lists, and the template wants at least one capability in a set
    if containers:
        submodel["submodelElements"] = [_collection("CapabilitySet", "CapabilitySet", containers)]
    return json.dumps({"submodels": [submodel]}, ensure_ascii=False, indent=1)


def _location(firm: Firm, profile: Json) -> Json:
    location: Json = {"address": {"city": firm.town, "country": "DE"}}
    if profile["lat_e6"] is not None:
        place = (round(profile[name] / DEGREE, COARSE) for name in ("lat_e6", "lon_e6"))
        location["gpsCoordinates"] = ", ".join(f"{degree:.{COARSE}f}" for degree in place)
    return location


def _article(process_key: str) -> str:
    """The process in Wikipedia; where it has no article of its own, its class or its English word."""
    article = _articles().get(process_key)
    process = load_pack().process(process_key)
    return WIKIPEDIA + article if article else process.iri or process.label("en")


@lru_cache(maxsize=1)
def _articles() -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load(Path(__file__).with_name("wikipedia.yaml").read_text("utf-8"))
    return found


def _container(process: dict[str, str]) -> Json:
    key = process["key"]
    iri = load_pack().process(key).iri
    capability: Json = {
        "modelType": "Capability",
        "idShort": key,
        "semanticId": _reference(f"{IDTA}/Capability/1/0"),
        "qualifiers": [
            {
                "semanticId": _reference(f"{IDTA}/CapabilityRoleQualifier/Offered/1/0"),
                "type": "Offered",
                "valueType": "xs:string",
                "value": "1",
            }
        ],
    }
    if iri:
        capability["supplementalSemanticIds"] = [_reference(iri)]
    comment = {
        "modelType": "MultiLanguageProperty",
        "idShort": "CapabilityComment",
        "semanticId": _reference(f"{IDTA}/CapabilityComment/1/0"),
        "value": [{"language": language, "text": process[language]} for language in ("de", "en")],
    }
    return _collection(f"Container_{key}", "CapabilityContainer", [capability, comment])


def _collection(id_short: str, concept: str, value: list[Json]) -> Json:
    return {
        "modelType": "SubmodelElementCollection",
        "idShort": id_short,
        "semanticId": _reference(f"{IDTA}/{concept}/1/0"),
        "value": value,
    }


def _reference(iri: str) -> Json:
    return {"type": "ExternalReference", "keys": [{"type": "GlobalReference", "value": iri}]}
