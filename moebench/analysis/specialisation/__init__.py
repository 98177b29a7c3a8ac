"""What the experts have learnt, read from routing traces."""
