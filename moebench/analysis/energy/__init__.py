"""What energy and speed of dense networks and mixtures of experts say; no torch."""
