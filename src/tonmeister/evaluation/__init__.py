"""Evaluation: how far a mix is from what was wanted. Reference first, then the estimate; one module a task."""
