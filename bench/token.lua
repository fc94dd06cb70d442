-- A GET with a bearer token: of a file with a token in each line, from one on; each request has the next.
-- Arguments: the file, or `-` for no token; the number of the first.
local threads = 0

function setup(thread)
  thread:set("place", threads)
  threads = threads + 1
end

local requests, at = {}, 0

function init(arguments)
  local head = "GET " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n"
  if arguments[1] == "-" then
    requests[1] = head .. "\r\n"
    return
  end
  local all = {}
  for line in io.lines(arguments[1]) do
    all[#all + 1] = head .. "Authorization: Bearer " .. line .. "\r\n\r\n"
  end
  -- Of two threads each has every other one.
  local step = #all > 1 and 2 or 1
  for number = 1 + (step - 1) * place, #all, step do
    requests[#requests + 1] = all[number]
  end
  at = math.floor((tonumber(arguments[2]) or 0) / step)
end

function request()
  at = at % #requests + 1
  return requests[at]
end
