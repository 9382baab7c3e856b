"""Code generators: AP501 and on."""

from archpatch.rule import Rule
from archpatch_rules.codegen.grpc_tools_alpine import GrpcToolsAlpine
from archpatch_rules.codegen.grpc_tools_protoc import GrpcToolsProtoc
from archpatch_rules.codegen.maven_protobuf_exe import MavenProtobufExe
from archpatch_rules.codegen.node_grpc_tools import NodeGrpcTools
from archpatch_rules.codegen.protoc_asset import ProtocAsset

RULES: tuple[Rule, ...] = (
    ProtocAsset(),
    GrpcToolsProtoc(),
    GrpcToolsAlpine(),
    NodeGrpcTools(),
    MavenProtobufExe(),
)
