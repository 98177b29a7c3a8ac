"""Benchmarks of layer and training step: ratios of arms that take turns in one process."""
