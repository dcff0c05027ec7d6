"""Every RPC of every service, read from the protos' descriptors.

Nothing in the gateway names an RPC of its own accord: a new one in protos/ is served without a new line here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf import message_factory
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message

import foldline.api

_SERVICE_MODULES = "_service_pb2"


class Method(NamedTuple):
    """One RPC and the backend that answers it."""

    #: "/foldline.api.recorder.v1.RecorderService/GetRun", the path over HTTP and gRPC alike.
    path: str
    #: "foldline.api.recorder.v1.RecorderService".
    service: str
    #: "GetRun".
    name: str
    #: "recorder": the part of the proto package that names the process.
    backend: str
    request: type[Message]
    reply: type[Message]
    #: The reply is a stream.
    streaming: bool


def all_methods() -> tuple[Method, ...]:
    """Every method of foldline.api, by path."""
    return tuple(sorted(method for file in _files() for method in _of_file(file)))


def _files() -> Iterator[FileDescriptor]:
    for module in pkgutil.walk_packages(foldline.api.__path__, "foldline.api."):
        if module.name.endswith(_SERVICE_MODULES):
            yield importlib.import_module(module.name).DESCRIPTOR


def _of_file(file: FileDescriptor) -> Iterator[Method]:
    backend = file.package.split(".")[2]
    for service in file.services_by_name.values():
        for method in service.methods:
            yield _method(method, service.full_name, backend)


def _method(method: MethodDescriptor, service: str, backend: str) -> Method:
    if method.client_streaming:
        raise ValueError(f"{method.full_name} streams its requests, which the gateway cannot pass on")
    return Method(
        path=f"/{service}/{method.name}",
        service=service,
        name=method.name,
        backend=backend,
        request=message_factory.GetMessageClass(method.input_type),
        reply=message_factory.GetMessageClass(method.output_type),
        streaming=method.server_streaming,
    )
