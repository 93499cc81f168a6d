"""Rules from one engine to another: each engine's rule data as RIF documents, and back as far as it can be said."""
