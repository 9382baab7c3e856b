"""Downloads: AP4xx."""
