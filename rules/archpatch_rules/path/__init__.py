"""Paths of libraries, loaders and JVMs: AP7xx."""
