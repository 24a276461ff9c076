"""Looks how much space is left on the file system of a root."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.check import Finding
from wit_world.imports import files, log, types

PARAMS = {
    "type": "object",
    "properties": {
        "root": {"type": "string", "description": "The root whose file system is looked at"},
        "least_bytes": {"type": "integer", "minimum": 0, "description": "Bytes that have to be free"},
    },
    "required": ["root", "least_bytes"],
    "additionalProperties": False,
}


class Describe(exports.Describe):
    def params_schema(self, kind: str) -> str | None:
        return json.dumps(PARAMS) if kind == "check" else None


class Check(exports.Check):
    def run(self, params: str) -> list[Finding]:
        asked = json.loads(params)
        root, least = asked["root"], asked["least_bytes"]
        free = space(root).free_bytes
        log.write(log.Level.INFO, f"looked at {root}", [("free_bytes", str(free))])
        severity = types.Severity.OK if free >= least else types.Severity.CRITICAL
        summary = f"{free >> 20} MiB are free on `{root}`"
        details = json.dumps({"free_bytes": free})
        return [Finding("space-low", severity, root, summary, [], details)]


def space(root: str) -> files.Capacity:
    """A capability's error as the kinds have it: the host branches on its class alone."""
    try:
        return files.space(root)
    except Err as error:
        denied = isinstance(error.value, files.FilesError_Denied)
        about = getattr(error.value, "value", type(error.value).__name__)
        kind = types.Class.DENIED if denied else types.Class.PERMANENT
        raise Err(types.Error(kind, "denied" if denied else "no-space", about, None))
