"""What carries requests to the API: in process, and as an ASGI application under uvicorn."""
