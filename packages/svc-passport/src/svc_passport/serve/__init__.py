"""Running the service: sockets, workers, readiness and drain."""
