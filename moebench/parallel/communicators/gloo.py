"""gloo, through torch.distributed: everywhere torch is, but slow where ranks outnumber cores."""

from moebench.parallel.process_group import ProcessGroup


class Gloo(ProcessGroup):
    """TCP between CPU processes. Small messages take milliseconds where MPI takes microseconds."""

    backend = "gloo"
