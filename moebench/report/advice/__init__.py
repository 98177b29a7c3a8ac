"""Advice: what the tables of a run say on the questions a user came with, and what they cannot."""
