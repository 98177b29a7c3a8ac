"""Adapters on a frozen mixture of experts, routed or not (PERFT, arXiv:2411.08212)."""
