"""The service: answers POST /predict from published bundles. Imports neither torch nor onnx."""
