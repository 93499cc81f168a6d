"""A finished recording becomes a multitrack again."""
