"""The fast way through a strip: filters, compressors, faders, pans and sends of eight signals at once.

`strip_processor` is the plain way, the one to read and the one that decides what is right; this package gives
the same sound within 1e-6 of full scale, in a fraction of the time. Inserts it does not know run as ordinary
processors before the lanes.
"""
