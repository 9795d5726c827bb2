"""The Open Inference Protocol v2 over HTTP: routes, bodies, tensors, answers."""
