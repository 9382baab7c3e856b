"""The proof: hand-off to buildx, and inspection of what was built. Nothing here runs unless `verify` is asked.

tar, layers, oci, rootfs: images as files; elf, loader, start, exempt, audit: what is wrong in them;
process, buildx, progress: the engine; preflight, bases, plan, run, prove: the work; verdict: its result.
"""
