"""Chooses the store that the settings mean."""

from service.model_store import LocalStore, ModelStore
from service.store_settings import StoreSettings


def open_store(settings: StoreSettings) -> ModelStore:
    """The folder or address that models come from."""
    if not isinstance(settings.models_dir, str):
        return LocalStore(settings.models_dir)
    from service.remote_store import open_remote_store  # and with it fsspec, which a folder needs not

    return open_remote_store(
        settings.models_dir,
        cache_dir=settings.cache_dir,
        keep=settings.keep_cached,
        timeout_s=settings.store_timeout_s,
    )
