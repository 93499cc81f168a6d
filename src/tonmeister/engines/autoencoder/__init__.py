"""Martínez Ramírez & Reiss (2017): what becomes of a raw stem is learned from what became of others."""
