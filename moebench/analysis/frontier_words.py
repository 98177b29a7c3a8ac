"""What lines of the frontier's tables are called; tables and sentences share these words."""

LEVELS = (0.05, 0.5, 0.95)  # shares of the draws
EVERYTHING, ONLY_DENSE, ONE_LESS = "all", "dense networks", "all but this one"
SUPPORTED = "supported"
FASTER, SLOWER, TIE = "faster", "slower", "tie"
NOT_REACHED = "not reached"  # within the steps that there are, by one seed or more
BEFORE_FIRST = "before the first score"  # by one seed or more, and missed by none
NO_CURVE = "no curve"  # the loss on the way was scored with later tokens in view
OUTCOMES = (FASTER, SLOWER, TIE, NOT_REACHED, BEFORE_FIRST, NO_CURVE)
