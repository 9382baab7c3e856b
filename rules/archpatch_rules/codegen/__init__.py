"""Code generators: AP5xx."""
