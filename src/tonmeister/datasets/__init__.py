"""Readers of published multitrack datasets; one file per layout, no downloaders."""
