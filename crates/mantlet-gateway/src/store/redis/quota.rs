//! Quotas that several gates count together: one hash for each key, with the usage of each window
//! and the window's beginning.
//!
//! Windows follow the clock of Redis, and a key expires once its windows are over. Redis does not
//! know months, so each call passes the beginnings of the months around the present.

use std::{collections::HashMap, sync::LazyLock, time::Duration};

use futures_util::future::try_join_all;
use mantlet_controls::throttle::{
    Key,
    quotas::{
        Count, QuotaCharge, QuotaDecision, QuotaRequest, QuotaUse, UnixSeconds, Window, WindowUse, key_of_hex,
    },
};
use redis::{AsyncCommands as _, RedisResult, Script};

use super::{super::link::Link, RedisStore, named};
use crate::clock;

/// How long an operator may wait to see usage.
const PATIENCE: Duration = Duration::from_secs(5);
/// Hashes that are read at once.
const AT_ONCE: usize = 1_000;

/// KEYS: the hash. ARGV: for each window its limit or 0, and the count that causes a warning; the
/// beginnings of five months; a label or nothing.
static SPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
local now = tonumber(redis.call('TIME')[1])
local names, spans = {'hour', 'day', 'month'}, {3600, 86400}
local function at(number, moment)
  local span = spans[number]
  if span then
    local from = moment - moment % span
    return from, from + span
  end
  for index = 7, 10 do
    local from, till = tonumber(ARGV[index]), tonumber(ARGV[index + 1])
    if moment >= from and moment < till then return from, till end
  end
end
local passes, warns, last, seen = 1, 0, 0, {}
for number, name in ipairs(names) do
  local limit = tonumber(ARGV[number])
  if limit > 0 then
    local found = redis.call('HMGET', KEYS[1], name, name .. '-from', name .. '-warned')
    local used, own, warned = tonumber(found[1] or 0), tonumber(found[2] or 0), tonumber(found[3] or 0)
    local from, till = at(number, now)
    if not from then return redis.error_reply('ERR gate and store are months apart') end
    if own < from then
      used, own = 0, from
    elseif own > till then
      -- The clock was wrong then: what was used is used now.
      own = from
    elseif own > from then
      -- The clock was set back: what has begun goes on.
      from, till = at(number, own)
    end
    if used >= limit then passes = 0 end
    seen[number] = {used, own, till, warned}
    last = math.max(last, till)
  end
end
local told = {}
for number, name in ipairs(names) do
  local used, own, till, warned = unpack(seen[number] or {0, 0, 0, 0})
  if passes == 1 and own > 0 then
    used = used + 1
    redis.call('HSET', KEYS[1], name, used, name .. '-from', own)
    if used >= tonumber(ARGV[3 + number]) and warned ~= own then
      warns = 1
      redis.call('HSET', KEYS[1], name .. '-warned', own)
    end
  end
  told[#told + 1], told[#told + 2], told[#told + 3] = own, math.max(till - now, 0), used
end
if passes == 1 then
  if ARGV[12] ~= '' then redis.call('HSETNX', KEYS[1], 'label', ARGV[12]) end
  -- Not at once: the clock may be set back.
  redis.call('EXPIREAT', KEYS[1], last + 3600)
end
return {passes, warns, told}",
    )
});

/// ARGV: the beginning of each window in which the request was counted; the count that causes a
/// warning, if the request caused one.
static GIVE_BACK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "
local left = 0
for number, name in ipairs({'hour', 'day', 'month'}) do
  local found = redis.call('HMGET', KEYS[1], name, name .. '-from')
  local used = tonumber(found[1] or 0)
  if used > 0 and found[2] == ARGV[number] then
    used = used - 1
    redis.call('HSET', KEYS[1], name, used)
    if used < tonumber(ARGV[3 + number]) then redis.call('HDEL', KEYS[1], name .. '-warned') end
  end
  left = left + used
end
if left == 0 then redis.call('DEL', KEYS[1]) end
return 0",
    )
});

impl RedisStore {
    pub(super) async fn count_spends(&self, spends: &[QuotaRequest<'_>]) -> Option<Vec<QuotaDecision>> {
        let months = months(clock::now().as_second().unsigned_abs());
        let one = |spend: &QuotaRequest<'_>, mut connection: Link| {
            let mut call = SPEND.prepare_invoke();
            call.key(self.quota_key(spend.quota, spend.key));
            let limits = &spend.limits;
            for limit in limits.of {
                call.arg(limit.unwrap_or_default());
            }
            for limit in limits.of {
                call.arg(limit.map_or(0, |limit| limits.warning_at(limit)));
            }
            for month in months {
                call.arg(month);
            }
            call.arg(spend.label.as_deref().unwrap_or_default());
            async move {
                let (passes, warns, told): (bool, bool, [UnixSeconds; 9]) =
                    call.invoke_async(&mut connection).await?;
                Ok(QuotaDecision { passes, warns, windows: windows(&told) })
            }
        };
        self.ask(async move |connection| {
            // All are written before the first response is awaited.
            try_join_all(spends.iter().map(|spend| one(spend, connection.clone()))).await
        })
        .await
    }

    pub(super) async fn take_back(&self, spent: Vec<QuotaCharge>) {
        let taken_back = self.ask(async move |mut connection| {
            for QuotaCharge { quota, key, windows, warns, limits } in spent {
                let mut call = GIVE_BACK.key(self.quota_key(&quota, key));
                for from in windows {
                    call.arg(from.unwrap_or_default());
                }
                for limit in limits.of {
                    call.arg(limit.filter(|_| warns).map_or(0, |limit| limits.warning_at(limit)));
                }
                call.invoke_async::<()>(&mut connection).await?;
            }
            Ok(())
        });
        taken_back.await;
    }

    /// All keys of a quota.
    pub(super) async fn all_holders(&self, quota: &str) -> Option<Vec<QuotaUse>> {
        let start = format!("{}:quota:{quota}:", self.0.config.prefix);
        self.patiently(async |mut connection| {
            let mut names = connection.names(&format!("{start}*")).await?;
            // SCAN may return a key twice if Redis grows meanwhile.
            names.sort_unstable();
            names.dedup();
            let mut holders = Vec::with_capacity(names.len());
            for names in names.chunks(AT_ONCE) {
                let one = async |name: &String, mut connection: Link| connection.hgetall(name).await;
                let found = names.iter().map(|name| one(name, connection.clone()));
                let found: Vec<HashMap<String, String>> = try_join_all(found).await?;
                let keys = names.iter().map(|name| name.strip_prefix(&start).and_then(key_of_hex));
                holders.extend(keys.zip(&found).filter_map(|(key, fields)| Some(holder(key?, fields))));
            }
            Ok(holders)
        })
        .await
    }

    /// One key of a quota, looked up by its name.
    pub(super) async fn one_holder(&self, quota: &str, key: Key) -> Option<Option<QuotaUse>> {
        let name = self.quota_key(quota, key);
        self.patiently(async |mut connection| {
            let fields: HashMap<String, String> = connection.hgetall(name).await?;
            Ok((!fields.is_empty()).then(|| holder(key, &fields)))
        })
        .await
    }

    pub(super) async fn forget(&self, quota: &str, key: Key) -> Option<bool> {
        let name = self.quota_key(quota, key);
        self.patiently(async |mut connection| connection.del(name).await).await
    }

    /// Sends a command for an operator, on a connection of its own: a slow response says nothing
    /// about the health of the store.
    async fn patiently<T>(&self, question: impl AsyncFnOnce(Link) -> RedisResult<T>) -> Option<T> {
        let answer = async { question(self.0.target.load_full().connect().await?).await };
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
    }

    fn quota_key(&self, quota: &str, key: Key) -> String {
        named(&self.0.config.prefix, &format!("quota:{quota}"), key)
    }
}

/// Reads a hash.
fn holder(key: Key, fields: &HashMap<String, String>) -> QuotaUse {
    let number = |field: &str| fields.get(field).and_then(|text| text.parse().ok()).unwrap_or_default();
    let counts = Window::ALL.map(|window| {
        let (name, from) = (window.name(), number(&format!("{}-from", window.name())));
        let used = u32::try_from(number(name)).unwrap_or(u32::MAX);
        Count { from, used, warned: number(&format!("{name}-warned")) == from }
    });
    QuotaUse { key, label: fields.get("label").map(|label| label.as_str().into()), counts }
}

/// The beginnings of five months: the last, the present, and the next three.
fn months(now: UnixSeconds) -> [UnixSeconds; 5] {
    let present = Window::Month.at(now);
    let mut starts =
        [Window::Month.at(present.from.saturating_sub(1)).from, present.from, present.until, 0, 0];
    let mut last = present.until;
    for start in &mut starts[3..] {
        last = Window::Month.at(last).until;
        *start = last;
    }
    starts
}

fn windows(told: &[UnixSeconds; 9]) -> [Option<WindowUse>; 3] {
    let mut windows = [None; 3];
    for (window, told) in windows.iter_mut().zip(told.chunks_exact(3)) {
        if let &[from, rest, used] = told
            && from > 0
        {
            *window = Some(WindowUse { from, rest, used: u32::try_from(used).unwrap_or(u32::MAX) });
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_one_another_without_a_gap() {
        // The last second of January 2028.
        let starts = months(1_832_975_999);
        let texts = starts.map(|start| mantlet_controls::throttle::quotas::moment(start).to_string());
        let expected = ["2027-12-01", "2028-01-01", "2028-02-01", "2028-03-01", "2028-04-01"];
        assert_eq!(texts, expected.map(|day| format!("{day}T00:00:00Z")));
    }
}
