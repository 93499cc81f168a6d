"""Files of trained models: a card, a checksum, and a network that only computes.

A model is two files side by side: NAME.onnx or NAME.npz with the weights, NAME.json with its card. Nothing in them is
ever executed as code: no pickle, and of ONNX only networks of known operators whose weights are all inside the file.
"""
