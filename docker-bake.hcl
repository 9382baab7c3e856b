variable "TAG" {
  default = "archpatch:dev"
}

group "default" {
  targets = ["archpatch"]
}

target "archpatch" {
  context   = "."
  platforms = ["linux/amd64", "linux/arm64"]
  tags      = [TAG]
}
