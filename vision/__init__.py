"""Cameras, the pose model and the posture measures; imports nothing of device but its vocabulary."""
