-- 1 KiB of JSON, as a client sends it.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"description":"' .. string.rep("x", 1024 - 18) .. '"}'
