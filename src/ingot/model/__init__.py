"""The nouns of the domain: values without behaviour of any library."""
