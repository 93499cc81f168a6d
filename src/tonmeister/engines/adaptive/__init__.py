"""The low-level automatic mixer of Perez Gonzalez, Mansbridge and Giannoulis."""
