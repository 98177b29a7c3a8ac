"""Tables of the capacity room."""
