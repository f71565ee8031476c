"""A bundle: the records of one model with everything that they were scored from, in one file.

A zip with `manifest.json` (format, versions, size and SHA-256 of every other file),
`records.jsonl` (a `Record` a line), `card.md`, and for every answer of the model
`answers/<key>.safetensors` (its `Evidence`) and `answers/<key>.json` (what it claims). Nothing in
it is code, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load

from .... import __version__
from ...contract.evidence import Evidence
from ...contract.files import write_atomically
from ...contract.model import Likelihood
from ...contract.model_card import card
from ...contract.probe import Probe
from ...contract.record import Record, read_records
from ...names import known
from ..scoring.answers import Answer
from ..store import Store

FORMAT = 1
LARGEST = 4 * 2**30  # bytes that a bundle may unpack to
# What a file raises that is no zip, is cut, locked by a password, or packed in an unknown way.
_UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError)


class Manifest(BaseModel):
    """What a bundle says of itself.

    Attributes:
        format: Version of the bundle's format.
        dgmbench: Version of the package that made it.
        suite: Suite of the records.
        model: Their model.
        files: Size in bytes and SHA-256 of every file but this one, by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    dgmbench: str
    suite: str
    model: str
    files: dict[str, tuple[int, str]]


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read: its manifest, its records, its files.

    Attributes:
        manifest: What it says of itself.
        records: The records that are sound, as they were submitted.
        content: Content of every file, by name.
        trouble: What is wrong with it as a file: hashes, files that lack, records that are none.
    """

    manifest: Manifest
    records: Sequence[Record]
    content: Mapping[str, bytes]
    trouble: Sequence[str]

    def answers(self, record: Record) -> list[Answer]:
        """Returns the answers that a record was scored from.

        Raises:
            ValueError: One lacks or cannot be read.
        """
        return [self._answer(record, name, settings) for name, settings in record.probes.items()]

    def _answer(self, record: Record, name: str, settings: Mapping[str, Any]) -> Answer:
        key = record.keys.get(name, "")[:24]
        try:
            tensors = load(self.content[f"answers/{key}.safetensors"])
            claim = json.loads(self.content[f"answers/{key}.json"])
            kind: Any = "likelihood" if name.startswith("likelihood") else "samples"
            return Answer(
                Probe(kind, **settings),
                Evidence(**tensors),
                Likelihood(claim["likelihood"]),
                str(claim["estimator"]),
                str(claim["paper"]),
                reason=str(claim["reason"]),
            )
        except (KeyError, ValueError, TypeError, SafetensorError) as error:
            raise ValueError(
                f"Expected the answer to {name!r} of {record.task}, seed {record.seed}, got "
                f"{type(error).__name__}."
            ) from None


def make_bundle(root: Path, model: str, path: Path) -> Manifest:
    """Writes the bundle of a model.

    Args:
        root: A results folder.
        model: Name of the model.
        path: The file.

    Raises:
        ValueError: The folder has no such model, none of its cells ended well, or the answers of
            one are not stored here.
    """
    records = read_records(root)
    if not records:
        raise ValueError(f"Expected a results folder with records, got {root}.")
    known("model", [model], dict.fromkeys(record.model for record in records))
    mine = [r for r in records if r.model == model and r.status == "ok"]
    if not mine:
        raise ValueError(f"Expected cells of {model} that ended well, got none.")
    store = Store(root)
    content: dict[str, bytes] = {}
    for record in mine:
        for probe in record.probes:
            content |= _stored(store, record, probe)
    lines = (_alone(record).model_dump_json() for record in mine)
    content["records.jsonl"] = "".join(f"{line}\n" for line in lines).encode()
    content["card.md"] = card(mine).encode()
    files = {name: (len(data), _sha256(data)) for name, data in sorted(content.items())}
    manifest = Manifest(
        format=FORMAT, dgmbench=__version__, suite=mine[0].suite, model=model, files=files
    )
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("manifest.json", manifest.model_dump_json(indent=1))
            for name in sorted(content):
                archive.writestr(name, content[name])
        write_atomically(path, buffer.getvalue())
    return manifest


def _alone(record: Record) -> Record:
    """The record without files, and without numbers of probes that were added later."""
    kept = [s for s in record.scores if not s.probe or s.probe in record.probes]
    return record.model_copy(update={"files": {}, "scores": tuple(kept)})


def _stored(store: Store, record: Record, probe: str) -> dict[str, bytes]:
    folder = store.open("probe", record.keys[probe]) if probe in record.keys else None
    if folder is None:
        raise ValueError(
            f"Expected the stored answers of {record.model} on {record.task}, seed {record.seed}, "
            f"got none for {probe!r}; run that cell again here."
        )
    name = f"answers/{record.keys[probe][:24]}"
    return {
        f"{name}.safetensors": (folder / "evidence.safetensors").read_bytes(),
        f"{name}.json": (folder / "claim.json").read_bytes(),
    }


def read_bundle(path: Path) -> Bundle:
    """Reads a bundle; what is wrong within it is kept as `trouble`.

    Raises:
        ValueError: The file is no bundle, of another format, or unpacks to more than 4 GiB.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(info.file_size for info in archive.infolist())
            if total > LARGEST:
                raise ValueError(f"Expected a bundle of at most 4 GiB, got {total:,} bytes.")
            content = {info.filename: archive.read(info) for info in archive.infolist()}
        manifest = Manifest.model_validate_json(content.pop("manifest.json"))
    except (*_UNREADABLE, KeyError, ValidationError) as error:
        raise ValueError(
            f"Expected a bundle as `submit` writes it in {path}, got {type(error).__name__}."
        ) from None
    if manifest.format != FORMAT:
        raise ValueError(f"Expected a bundle of format {FORMAT}, got format {manifest.format}.")
    trouble = [
        f"{name} is not in the bundle"
        if name not in content
        else f"{name} is not the file that the manifest names: its SHA-256 differs"
        for name, (size, digest) in manifest.files.items()
        if name not in content or (len(content[name]), _sha256(content[name])) != (size, digest)
    ]
    trouble += [f"{name} is not in the manifest" for name in content if name not in manifest.files]
    records = []
    for number, line in enumerate(content.get("records.jsonl", b"").splitlines(), 1):
        try:
            record = Record.model_validate_json(line)
        except ValidationError as error:
            trouble.append(
                f"line {number} of records.jsonl is no record: {error.error_count()} errors"
            )
            continue
        if (record.model, record.suite) != (manifest.model, manifest.suite):
            trouble.append(
                f"line {number} of records.jsonl is of {record.model} in {record.suite}"
            )
        records.append(record)
    return Bundle(manifest, records, content, trouble)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
