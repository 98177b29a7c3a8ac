"""Communicators by file name: ``mpi``, ``gloo``, ``nccl``."""
