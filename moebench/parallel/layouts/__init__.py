"""Layouts by file name: what config calls ``expert_replicated`` is ``expert_replicated.py``."""
