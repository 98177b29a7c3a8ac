"""Variants of adapters, one a file."""
