"""A stand-in for an accelerator: tensors that must not meet those of the processor."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

FAR = torch.device("meta")  # any device type will do for which PyTorch asks no driver


class FarTensor(Tensor):
    """A tensor that says it lies on `FAR`; its numbers are in `inner`, on the processor."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner):
        return Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), dtype=inner.dtype, device=FAR
        )

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return computed(operation, args, kwargs or {})

    def tolist(self):
        return self.inner.tolist()


def on_far(device):
    return device is not None and torch.device(device).type == FAR.type


def computed(operation, args, kwargs):
    """Runs one operation of ATen where a real device would, or refuses as it would."""
    flat, layout = tree_flatten((args, kwargs))
    name = operation.overloadpacket.__name__
    far = [x for x in flat if isinstance(x, FarTensor)]
    near = [x for x in flat if isinstance(x, Tensor) and not isinstance(x, FarTensor) and x.ndim]
    if name.startswith(("index", "_index_put")) and isinstance(args[0], FarTensor):
        near = [x for x in near if all(x is not index for index in args[1])]  # they may be near
    if far and near and name not in ("copy_", "_to_copy"):
        raise RuntimeError(f"Expected all tensors of {name} on one device.")
    inner = [x.inner if isinstance(x, FarTensor) else x for x in flat]
    inner = [torch.device("cpu") if isinstance(x, torch.device) else x for x in inner]
    plain, keywords = tree_unflatten(inner, layout)
    result = operation(*plain, **keywords)
    if "out" in kwargs or (operation._schema.is_mutable and name.endswith("_")):
        return kwargs.get("out", args[0])
    stays = on_far(kwargs["device"]) if kwargs.get("device") is not None else bool(far)
    return tree_map(lambda x: FarTensor(x) if stays and isinstance(x, Tensor) else x, result)


class Operations(TorchDispatchMode):
    """Sends every operation through `computed`, those that make new tensors too."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return computed(operation, args, kwargs or {})


class Constants(TorchFunctionMode):
    """Makes tensors of Python's numbers on the processor first: what PyTorch does out of sight."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function is Tensor.new_tensor and isinstance(args[0], FarTensor):
            kwargs.setdefault("dtype", args[0].dtype)
            return torch.tensor(args[1], **kwargs).to(FAR)
        if function in (torch.tensor, torch.as_tensor) and on_far(kwargs.get("device")):
            del kwargs["device"]
            return function(*args, **kwargs).to(FAR)
        return function(*args, **kwargs)


@pytest.fixture
def far():
    """The device, for the duration of a test."""
    with Constants(), Operations():
        yield FAR
