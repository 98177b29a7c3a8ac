"""Names of directions, collectives, parts of a call and columns of a cell, for rows and tables.

Without pandas, so that a rank starts quickly.
"""

DIRECTIONS = ("forward", "forward_backward")
COLLECTIVES = ("all_reduce", "all_gather", "all_to_all", "reduce_scatter", "broadcast")

# What tells one cell from another, in the order in which tables are sorted.
CELL = (
    "layout",
    "communicator",
    "backend",
    "world_size",
    "num_experts",
    "batch_size",
    "top_k",
    "feature_dim",
    "hidden_dim",
    "output_dim",
    "direction",
)
# Where the time of a call goes; routing, dispatch and experts are those of the forward pass. They
# add up to the time of the calls that were clocked inside.
PARTS = (
    "routing_s",
    "dispatch_s",
    "experts_s",
    "backward_s",
    *(f"{collective}_s" for collective in COLLECTIVES),
    "waiting_s",
    "other_s",
)
