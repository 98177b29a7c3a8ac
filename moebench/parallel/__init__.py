"""One MoE layer laid out over ranks in several ways, equal in what they compute."""
