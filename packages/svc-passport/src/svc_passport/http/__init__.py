"""The service over HTTP: ASGI in and out, on two planes."""
