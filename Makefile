# Every chore of the project; bare `make` prints the list.
# Works on a machine with python3 (>= 3.11, with venv) and make; everything else comes from packages.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv reads neither pip's configuration nor the system's certificates by itself.
export UV_SYSTEM_CERTS := 1
export UV_PYTHON_DOWNLOADS := never
# The generator decides which grpcio and protobuf users must have at least: kept one protobuf major
# below the newest. Runs in an environment of its own.
PROTOC := $(BIN)/uv tool run --from grpcio-tools==1.76.0 --with mypy-protobuf==3.7.0 --with setuptools python -m grpc_tools.protoc

.DEFAULT_GOAL := help
.PHONY: help setup protos

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

protos: ## generate the code in libs/foldline/api from protos/
	@find libs/foldline/api -mindepth 1 -not -name __init__.py -type f -delete
	$(PROTOC) -I protos --python_out=libs --mypy_out=quiet:libs --grpc_python_out=libs --mypy_grpc_out=quiet:libs $$(cd protos && find . -name '*.proto' | sort | sed 's|^\./||')
	@find libs/foldline/api -name '*_pb2_grpc.py*' -not -name '*_service_pb2_grpc.py*' -delete
	@find libs/foldline/api -type d -exec touch {}/__init__.py \;
