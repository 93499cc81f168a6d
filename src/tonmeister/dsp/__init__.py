"""Pure array kernels: arrays and numbers in, arrays out; no files, no plans."""
