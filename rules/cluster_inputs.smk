"""What jobs ask a cluster for."""


def gpu_of(part):
    """GPUs that a part of the config wants: one where it names CUDA, else none.

    Under `device: auto` a job takes what it finds, and a cluster shows it a GPU only if asked.
    """
    return int(part is not None and part.device == "cuda")
