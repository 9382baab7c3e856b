"""The proof: hand-off to buildx, and inspection of what was built. Nothing here runs unless `verify` is asked.

images as files       tar, layers, rootfs, oci
what is wrong in them elf, loader, start, exempt, audit, images
the engine            process, buildx, bakefile, progress, preflight
what is built         plan, compose, workspace, build, smoke, existing, cache
what it means         triage, bases, attribute, verdict
the two commands      run (verify), prove (fix --verify)
"""
