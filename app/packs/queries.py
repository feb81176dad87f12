"""Which industry packs there are, and looking words up in them."""

from functools import lru_cache
from pathlib import Path

from app.core.errors import RuleBroken
from app.packs.reader import read_pack
from app.packs.rules import CertificateType, MachineType, Material, MaterialGroup, Pack, Process

FOLDER = Path(__file__).parent


@lru_cache(maxsize=16)
def load_pack(key: str = "metal") -> Pack:
    """Return the industry pack, read once; raises RuleBroken for an unknown pack or, with the line, a fault."""
    if key not in pack_keys():
        raise RuleBroken("Dieses Branchenpaket gibt es hier nicht.", "pack")
    return read_pack((FOLDER / f"{key}.yaml").read_text("utf-8"))


def pack_keys() -> tuple[str, ...]:
    """Return the keys of all packs in this installation: a new industry is a new file."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def process(key: str, pack: str = "metal") -> Process:
    """Return one process; raises RuleBroken for an unknown key."""
    return load_pack(pack).process(key)


def processes(pack: str = "metal") -> tuple[Process, ...]:
    """Return all processes, the common ones first, otherwise in the pack's order."""
    return tuple(sorted(load_pack(pack).processes.values(), key=lambda one: not one.is_common))


def machine_type(key: str, pack: str = "metal") -> MachineType:
    """Return one machine type; raises RuleBroken for an unknown key."""
    return load_pack(pack).machine_type(key)


def machine_types(pack: str = "metal") -> tuple[MachineType, ...]:
    """Return all machine types in the pack's order."""
    return tuple(load_pack(pack).machine_types.values())


def materials(pack: str = "metal") -> tuple[Material, ...]:
    """Return all materials, by group in the pack's order."""
    return tuple(load_pack(pack).materials.values())


def material_groups(pack: str = "metal") -> tuple[MaterialGroup, ...]:
    """Return all material groups in the pack's order."""
    return tuple(load_pack(pack).material_groups.values())


def certificate_types(pack: str = "metal") -> tuple[CertificateType, ...]:
    """Return all certificate types in the pack's order, the classes of a family lowest first."""
    return tuple(load_pack(pack).certificates.values())
