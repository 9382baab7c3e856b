"""Copied artefacts and entrypoints: AP8xx."""
