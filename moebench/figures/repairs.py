"""Names of the repairs of the waterfall: short ones for axes, long ones for sentences."""

SHORT = {
    "published": "published\nrecipe",
    "interval": "interval\ncounted\nonce",
    "validation_time": "scoring\noutside\nthe clock",
    "windows": "windows\nwithout\noverlap",
    "expert_scale": "experts\ndrawn one\nby one",
    "gates": "gates\nof hard\nrouters\nlearn",
    "auxiliary_losses": "balance\nloss with\ngradient",
    "hash_of_token": "hash of\nthe token",
    "clamp": "expert\nchoice\nunclamped",
    "later_tokens": "scored\nwithout\nlater\ntokens",
}
LONG = {
    "interval": "Counting the interval between scorings once",
    "validation_time": "Taking the scoring out of the clock",
    "windows": "Scoring windows that do not overlap",
    "expert_scale": "Drawing the weights of each expert on their own",
    "gates": "Letting the gates of top-1 and equal-weight top-k learn",
    "auxiliary_losses": "Giving the balance loss a gradient, and adding the z-loss",
    "hash_of_token": "Hashing the token instead of its place in the batch",
    "clamp": "Letting each expert take as many tokens as it has room for, not 64",
    "later_tokens": "Scoring expert choice without later tokens",
}
