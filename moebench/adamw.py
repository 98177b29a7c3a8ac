"""AdamW (Loshchilov and Hutter, arXiv:1711.05101) that does not load torch's compiler."""

import inspect

import torch


class AdamW(torch.optim.AdamW):
    """torch's own AdamW, with its methods as they are beneath their decorators.

    Those only tell the compiler to leave them alone, and import it to do so: two seconds of every
    process that trains, though nothing here is compiled.
    """

    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.AdamW.zero_grad)
    state_dict = inspect.unwrap(torch.optim.AdamW.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.AdamW.load_state_dict)
    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))
