"""Code generators: AP501 and on."""

from archpatch.rule import Rule
from archpatch_rules.codegen.grpc_tools_alpine import GrpcToolsAlpine
from archpatch_rules.codegen.grpc_tools_protoc import GrpcToolsProtoc
from archpatch_rules.codegen.protoc_asset import ProtocAsset

RULES: tuple[Rule, ...] = (ProtocAsset(), GrpcToolsProtoc(), GrpcToolsAlpine())
