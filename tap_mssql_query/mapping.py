"""singer-sdk's stream maps for one sync, with its errors as those of the tap."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import MappingError

from tap_mssql_query.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.mapper import PluginMapper, StreamMap


def stream_maps_of(
    mapper: PluginMapper, sync: str, schema: dict[str, Any], keys: Sequence[str] | None
) -> list[StreamMap]:
    """The maps of a sync with this schema. Raises ConfigurationError if they cannot be applied."""
    try:
        mapper.register_raw_stream_schema(sync, schema, keys)
    except (MappingError, NotImplementedError) as error:
        raise ConfigurationError(f"`stream_maps` cannot be applied: {error}") from error
    except Exception as error:
        raise ConfigurationError(
            f"`stream_maps` cannot be applied ({type(error).__name__}). Check the expressions."
        ) from error
    return mapper.stream_maps[sync]


def map_record(stream_map: StreamMap, record: dict[str, Any]) -> dict[str, Any] | None:
    """The record as the map changes it; None if it is filtered out.

    Raises ConfigurationError, which names the column whose expression fails and shows no value.
    """
    try:
        return stream_map.transform(record)
    except Exception as error:
        raise ConfigurationError(
            f"`stream_maps` fails for {_column_of(error)} in one of the rows "
            f"({type(error.__cause__ or error).__name__}): its expression must be right for every "
            "row, also for NULL, such as `email.lower() if email else None`."
        ) from error


def _column_of(error: Exception) -> str:
    """The column whose expression was evaluated, from the SDK's frame."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "_eval" and "property_name" in frame.f_locals:
            name = frame.f_locals["property_name"]
            return f"the column `{name}`" if name else "`__filter__`"
    return "a column"
