"""Temporary."""

import hashlib
import inspect
from functools import partial
from pathlib import Path


def _h(p):
    return hashlib.sha256(Path(p).read_bytes()).hexdigest()


def task_key(outline):
    return [outline.task.name, outline.task.version]


def model_key(spec):
    return spec.fingerprint() if spec.target else {}


def probe_arguments(spec):
    return {}


def stage_code(*modules):
    return ""


def metric_key(factory):
    cls = factory.func if isinstance(factory, partial) else factory
    return [repr(factory), _h(inspect.getfile(cls))]


def map_key(name, levels):
    return name
