"""stac-fastapi: a catalogue of pictures of the earth, kept in memory."""

from datetime import datetime, timedelta, timezone

from stac_fastapi.api.app import StacApi
from stac_fastapi.types.config import ApiSettings
from stac_fastapi.types.core import BaseCoreClient
from stac_fastapi.types.errors import NotFoundError

COLLECTION = {
    "type": "Collection",
    "stac_version": "1.0.0",
    "id": "moats",
    "description": "Moats from above",
    "license": "CC0-1.0",
    "extent": {"spatial": {"bbox": [[-10, 40, 10, 60]]}, "temporal": {"interval": [["2026-01-01T00:00:00Z", None]]}},
    "links": [],
}
FIRST = datetime(2026, 1, 1, tzinfo=timezone.utc)


def item(number: int) -> dict:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"moat-{number}",
        "collection": "moats",
        "geometry": {"type": "Point", "coordinates": [number - 10, 50]},
        "bbox": [number - 10, 50, number - 10, 50],
        "properties": {"datetime": (FIRST + timedelta(days=number)).isoformat().replace("+00:00", "Z")},
        "links": [],
        "assets": {},
    }


ITEMS = [item(number) for number in range(20)]


class Memory(BaseCoreClient):
    def post_search(self, search_request, **kwargs):
        return self.found(search_request.ids, search_request.bbox, search_request.limit)

    def get_search(self, collections=None, ids=None, bbox=None, intersects=None, datetime=None, limit=10, **kwargs):
        return self.found(ids, bbox, limit)

    def found(self, ids, bbox, limit):
        west, east = (bbox[0], bbox[2]) if bbox else (-180, 180)
        items = [one for one in ITEMS if west <= one["bbox"][0] <= east and (not ids or one["id"] in ids)]
        return {"type": "FeatureCollection", "features": items[: limit or 20], "links": []}

    def get_item(self, item_id, collection_id, **kwargs):
        for one in ITEMS:
            if one["id"] == item_id:
                return one
        raise NotFoundError(f"no item {item_id}")

    def all_collections(self, **kwargs):
        return {"collections": [COLLECTION], "links": []}

    def get_collection(self, collection_id, **kwargs):
        if collection_id != "moats":
            raise NotFoundError(f"no collection {collection_id}")
        url = f"{kwargs['request'].base_url}collections/moats"
        return COLLECTION | {"links": [{"rel": "self", "href": url}, {"rel": "items", "href": f"{url}/items"}]}

    def item_collection(self, collection_id, bbox=None, datetime=None, limit=10, **kwargs):
        return self.found(None, bbox, limit)


app = StacApi(settings=ApiSettings(), client=Memory()).app
