"""How the classifier of instruments was taught: sounds, pictures, network, calibration, card."""
