"""How each source system's bytes are fetched: one module per source."""
