//! The scripts that Redis runs. Each is atomic. The clock is that of Redis, in microseconds.

use redis::Script;

/// Counts by all counters or by none, each in the way of `gcra.rs`.
///
/// `KEYS` are the counters. For each account there follow: the counter of a stranger, from where it is known, the delay of a stranger, that of who is known,
/// and the counter of who is known. `ARGV` are how many counters there are and how many accounts, the spans of each of both, for each account where the
/// attempt is from, and for how many seconds that stays known. The answer: for each account whether it is known and milliseconds of delay, then for
/// each counter, those of accounts last, whether it passes and how far ahead it is.
///
/// A counter that is further ahead than possible shows that the clock was set back. It is corrected
/// at once; otherwise it would refuse requests until the clock catches up.
const COUNT: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local counters, accounts = tonumber(ARGV[1]), tonumber(ARGV[2])
local spans = 2 * (counters + accounts) + 2
local keys, passes, answer = {unpack(KEYS, 1, counters)}, true, {}
for i = 1, accounts do
  local first, known = counters + 5 * (i - 1) + 1, 0
  local since = redis.call('ZSCORE', KEYS[first + 1], ARGV[spans + i])
  if since and since + ARGV[spans + accounts + 1] > tonumber(time[1]) then known = 1 end
  local account = KEYS[first + 2 + known]
  local waits = redis.call('HMGET', account, 'until', 'delay')
  local longest = tonumber(waits[2] or 0)
  local delay = math.max(math.ceil(tonumber(waits[1] or 0) - now / 1000), 0)
  if delay > longest then
    delay = longest
    redis.call('HSET', account, 'until', string.format('%.0f', now / 1000 + delay))
  end
  keys[counters + i] = KEYS[first + 4 * known]
  passes = passes and delay == 0
  answer[2 * i - 1], answer[2 * i] = known, delay
end
local after = {}
for i, key in ipairs(keys) do
  local interval, most = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  local moment = math.max(tonumber(redis.call('GET', key) or 0), now)
  if moment > now + most then
    moment = now + most
    redis.call('SET', key, string.format('%.0f', moment), 'PX', math.ceil(most / 1000) + 1)
  end
  after[i] = moment + interval
  local fits = after[i] - now <= most
  passes = passes and fits
  answer[2 * (accounts + i) - 1], answer[2 * (accounts + i)] = fits and 1 or 0, moment - now
end
if passes then
  for i, key in ipairs(keys) do
    local ahead = after[i] - now
    redis.call('SET', key, string.format('%.0f', after[i]), 'PX', math.ceil(ahead / 1000) + 1)
    answer[2 * (accounts + i)] = ahead
  end
end
return answer";

/// Subtracts from each of `KEYS` the amount in `ARGV`. Expired counters are not created again.
const GIVE_BACK: &str = "
for i, key in ipairs(KEYS) do
  local moment = redis.call('GET', key)
  if moment then redis.call('SET', key, string.format('%.0f', moment - ARGV[i]), 'KEEPTTL') end
end
return 0";

/// Counts a failure of an account. `ARGV` are the delays after each failure, in milliseconds, and
/// last how long the failures are remembered after a delay.
const FAILED: &str = "
local count = redis.call('HINCRBY', KEYS[1], 'count', 1)
local delay = tonumber(ARGV[math.min(count, #ARGV - 1)])
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', time[1] * 1000 + time[2] / 1000 + delay), 'delay', delay)
redis.call('PEXPIRE', KEYS[1], delay + tonumber(ARGV[#ARGV]))
return 0";

/// Remembers the place of a successful login to an account. `KEYS` are the list of places, and the
/// delay that has ended. `ARGV` are the place, how many of an account are remembered, and for how
/// many seconds. A client that logs in to its own account from many places only makes that account
/// forget its oldest places.
const SUCCEEDED: &str = "
redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('DEL', KEYS[2])
return 0";

pub(super) struct Scripts {
    pub(super) count: Script,
    pub(super) give_back: Script,
    pub(super) failed: Script,
    pub(super) succeeded: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            count: Script::new(COUNT),
            give_back: Script::new(GIVE_BACK),
            failed: Script::new(FAILED),
            succeeded: Script::new(SUCCEEDED),
        }
    }
}
