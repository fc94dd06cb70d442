"""A person at SQLAdmin's pages: what is seen, step by step."""

import json
import re
import sys

import httpx

url, said = sys.argv[1], {}
browser = httpx.Client(base_url=url, headers={"User-Agent": "Mozilla/5.0", "Accept": "text/html,*/*"})


def page(name, answer):
    # Forms and tables, not what differs each time.
    text = re.sub(r"http://[^\"' ]+", "", answer.text)
    said[name] = [answer.status_code, answer.headers.get("location", "").removeprefix(url), len(text), answer.headers.get("content-type")]


def post(path, form, **more):
    headers = {"Origin": url, "Sec-Fetch-Site": "same-origin", "Referer": f"{url}{path}"}
    return browser.post(path, data=form, headers=headers, **more)


page("closed", browser.get("/admin/"))
page("login page", browser.get("/admin/login"))
page("wrong", post("/admin/login", {"username": "ann", "password": "wrong"}))
page("login", post("/admin/login", {"username": "ann", "password": "moat"}))
said["cookies"] = sorted(browser.cookies.keys())
page("home", browser.get("/admin/"))
page("form", browser.get("/admin/user/create"))
for name in ("Ann", "Bob;", 'C "quoted" <b>', "d%2Fe"):
    page(f"create {name}", post("/admin/user/create", {"name": name, "password": f"{name}-secret", "is_admin": "y"}))
page("list", browser.get("/admin/user/list"))
page("search", browser.get("/admin/user/list", params={"search": 'C "quoted"', "sortBy": "name", "sort": "desc"}))
page("details", browser.get("/admin/user/details/1"))
page("edit", post("/admin/user/edit/1", {"name": "Anne", "password": "new", "save": "Save and continue editing"}))
page("multipart", browser.post("/admin/user/edit/2", files={"name": (None, "Bobby")}, headers={"Origin": url}))
for kind in ("csv", "json"):
    export = browser.get(f"/admin/user/export/{kind}")
    said[f"export {kind}"] = [export.status_code, export.text, export.headers.get("content-type")]
said["missing"] = browser.get("/admin/user/details/99").status_code
said["delete"] = browser.delete("/admin/user/delete", params={"pks": "2"}, headers={"Origin": url}).status_code
for path in ("/admin/statics/css/main.css", "/admin/statics/js/main.js"):
    asset = browser.get(path)
    said[path] = [asset.status_code, asset.headers.get("content-type"), len(asset.content)]
part = browser.get("/admin/statics/js/main.js", headers={"Range": "bytes=5-14"})
said["range"] = [part.status_code, part.text, part.headers.get("content-range")]
page("logout", browser.get("/admin/logout"))
page("closed again", browser.get("/admin/user/list"))
print(json.dumps(said))
