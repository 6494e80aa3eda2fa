"""The graphics card: what is there, what works with it, and the pack that makes it work.

The installers bring a PyTorch that computes on the processor (on Macs: on their GPU, too). One that
uses NVIDIA cards takes gigabytes more, so it comes as a pack of its own: the same program, frozen
without its window and with that PyTorch. No Qt and no torch in here.
"""
