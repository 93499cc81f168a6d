"""Equations and inequalities between numbers, kept true while the numbers change."""
