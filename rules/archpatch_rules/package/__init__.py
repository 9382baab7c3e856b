"""Package managers: AP3xx."""
