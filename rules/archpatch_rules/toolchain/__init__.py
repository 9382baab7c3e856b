"""Compilers and toolchains: AP6xx."""
