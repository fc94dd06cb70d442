"""pystac-client against a catalogue."""

import json
import sys

from pystac_client import Client
from pystac_client.exceptions import APIError

url = sys.argv[1]
said = {}
client = Client.open(url)
said["catalogue"] = [client.id, sorted(client.get_conforms_to())]
said["collections"] = [collection.id for collection in client.get_collections()]
moats = client.get_collection("moats")
said["items"] = [item.id for item in moats.get_items()]
said["one"] = moats.get_item("moat-7").to_dict()["properties"]
for method in ("GET", "POST"):
    search = client.search(collections=["moats"], bbox=[-5, 40, 0, 60], method=method, max_items=5, datetime="2026-01-01/..")
    said[f"search by {method}"] = [item.id for item in search.items()]
    search = client.search(ids=["moat-1", "moat-3", "nothing"], method=method, limit=2)
    said[f"ids by {method}"] = [item.id for item in search.items()]
    search = client.search(intersects={"type": "Point", "coordinates": [0, 50]}, method=method)
    said[f"intersects by {method}"] = len(search.item_collection_as_dict()["features"])
    try:
        list(client.search(bbox=[10, 60, -10, 40, 1], method=method).items())
    except (APIError, ValueError) as error:
        said[f"refused by {method}"] = [type(error).__name__, str(error)]
said["missing"] = client.get_collection("nothing") is None
print(json.dumps(said).replace(url, "URL"))
