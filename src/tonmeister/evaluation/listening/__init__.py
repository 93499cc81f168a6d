"""Blind listening tests: prepared as a page for the browser, and the answers read and judged."""
