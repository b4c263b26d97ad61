"""Protocols, configurations of trainings, lists of patients, and rows of results that were edited."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from hypothesis import strategies as st
from targets import Target, as_json, changed, damaged, json_files

from prostreg.evaluation.engine_digest import engine_digest
from prostreg.evaluation.protocol import PROTOCOLS_FOLDER, protocol_content, read_protocol
from prostreg.evaluation.row_file import RowFile
from prostreg.evaluation.rows import Row
from prostreg.evaluation.sources.case_source import make_case_source
from prostreg.json_fields import json_object
from prostreg.people.atlas import SUBJECTS
from prostreg.prost.networks import make_network
from prostreg.training.config import read_training_config
from prostreg.training.config_files import CONFIGS_FOLDER, config_file
from prostreg.training.patients import read_patient_list

SHIPPED = [protocol_content(PROTOCOLS_FOLDER / f"{name}.json") for name in ("prost-pelvis", "tracking", "wrist")]
BY_PARTS = json_object(PROTOCOLS_FOLDER / "phantom.json", "protocol file")
CASES = {
    "name": "mine", "title": "Mine", "methods": ["cmaes"], "cases": 1,
    "source": {"kind": "case-folders", "files": [{"file": "case.json", "sha256": "0" * 64}]},
}  # fmt: skip
TRAININGS = [json_object(CONFIGS_FOLDER / f"{name}.json", "configuration") for name in ("smoke", "prost-crossvit")]
PATIENTS = {
    "patients": [
        {
            "name": use, "ct": "list.json", "use": use, "origin": "made here", "licence": "CC0", "sha256": "0" * 64,
            "labels": "list.json", "values": [1, 2], "mirrored": True, "proportions": [1.0, 0.9, 1.1],
            "completed_at": 5, "people": {"of": list(SUBJECTS[:8]), "number": 3},
        }
        for use in ("training", "validation")
    ]
}  # fmt: skip
PROTOCOL = read_protocol("phantom")
ROW = asdict(Row("phantom", PROTOCOL.version, engine_digest(), 0, "phantom-0000", "cmaes", 1, mtre_mm=1.0))


def _read_protocol(path: Path) -> None:
    """Reads it, and looks for the files of a small one."""
    protocol = read_protocol(path)
    assert len(protocol.version) == 12
    if protocol.source_kind == "case-folders":
        make_case_source(protocol, path.parent)


def _read_training(path: Path) -> None:
    """Reads it and makes its network."""
    config = read_training_config(config_file(str(path)))
    torch.manual_seed(config.seed)
    make_network(config.network, config.options)


TARGETS = {
    "protocol": Target("protocol.json", _read_protocol, json_files(*SHIPPED, BY_PARTS, CASES)),
    "training": Target("training.json", _read_training, json_files(*TRAININGS), one_in=2),
    "patients": Target("list.json", lambda path: read_patient_list(path, [path.parent]), json_files(PATIENTS)),
    "rows of results": Target(
        "results.jsonl",
        lambda path: RowFile(path, PROTOCOL),
        st.one_of(changed([ROW]).map(lambda row: as_json(row) + b"\n"), damaged([json.dumps(ROW).encode() + b"\n"])),
    ),
}
