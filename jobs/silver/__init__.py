"""Business nouns, typed and conformed: one module and contract per table."""
