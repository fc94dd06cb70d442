//! Quota usage: `GET /quotas`, `GET` and `DELETE /quotas/{quota}/{key}`.

use std::{cmp::Reverse, sync::Arc};

use http::StatusCode;
use mantlet_controls::{
    Policy,
    audit::{Record, Sink},
    throttle::{
        Key, Store,
        quotas::{Quota, QuotaUse, UnixSeconds, Window, hex_of_key, key_of_hex, moment},
    },
};
use serde_json::{Value, json};

use super::trouble::Trouble;
use crate::clock;

/// How many keys of a quota are listed; they are those with the highest usage.
const LISTED: usize = 100;

/// The policy and the store that a request reads.
pub(super) struct Question<'q> {
    pub(super) policy: &'q Policy,
    pub(super) store: Option<&'q Arc<dyn Store>>,
    pub(super) now: UnixSeconds,
}

impl Question<'_> {
    pub(super) async fn list(&self) -> Result<Value, Trouble> {
        let mut quotas = Vec::new();
        for quota in self.policy.throttle.quotas() {
            let mut holders = self.holders(quota).await?;
            let count = holders.len();
            holders.sort_by_cached_key(|holder| Reverse(share(quota, holder)));
            let most: Vec<_> = holders.iter().take(LISTED).map(|holder| self.row(quota, holder)).collect();
            let [hour, day, month] = quota.limits.of;
            quotas.push(json!({
                "name": &*quota.name,
                "mode": quota.mode(),
                "limits": { "hour": hour, "day": day, "month": month },
                "warn": quota.limits.warn,
                "keys": count,
                "most": most,
            }));
        }
        Ok(json!({ "throttle": self.policy.throttle.mode(), "quotas": quotas }))
    }

    pub(super) async fn show(&self, quota: &str, key: &str) -> Result<Value, Trouble> {
        let (quota, holder) = self.find(quota, key).await?;
        Ok(self.row(quota, &holder))
    }

    pub(super) async fn reset(&self, quota: &str, key: &str, audit: &impl Sink) -> Result<Value, Trouble> {
        let (quota, holder) = self.find(quota, key).await?;
        // Also reset what was counted here while the store was away.
        quota.ledger.reset(holder.key);
        if let Some(store) = self.store {
            store.reset(&quota.name, holder.key).await.ok_or_else(no_store)?;
        }
        audit.record(Record::of_reset(&quota.name, clock::now()));
        Ok(json!({ "reset": self.row(quota, &holder) }))
    }

    /// Finds a key by its hash, its text or its label.
    async fn find(&self, name: &str, key: &str) -> Result<(&Quota, QuotaUse), Trouble> {
        let throttle = &self.policy.throttle;
        let quota = throttle.quotas().find(|quota| *quota.name == *name).ok_or_else(|| {
            let message = format!("there is no quota `{name}`; `mantlet quotas` lists all");
            Trouble::new(StatusCode::NOT_FOUND, message)
        })?;
        let by_text = throttle.key_of_text(name, key);
        // Look up each key alone: there may be millions of others.
        for key in [key_of_hex(key), by_text].into_iter().flatten() {
            if let Some(holder) = self.holder(quota, key).await? {
                return Ok((quota, holder));
            }
        }
        // Only a key of several parts has a label that differs from the hashed text.
        let mut labelled = None;
        if by_text.is_none() && key_of_hex(key).is_none() {
            let holders = self.holders(quota).await?;
            labelled = holders.into_iter().find(|holder| holder.label.as_deref() == Some(key));
        }
        let holder = labelled.ok_or_else(|| {
            // The key may be an API key, so the message does not repeat it.
            let message =
                format!("this key has no usage of `{name}`; `mantlet quotas` lists the keys that have");
            Trouble::new(StatusCode::NOT_FOUND, message)
        })?;
        Ok((quota, holder))
    }

    /// The usage of one key, from the store if there is one.
    async fn holder(&self, quota: &Quota, key: Key) -> Result<Option<QuotaUse>, Trouble> {
        let Some(store) = self.store else { return Ok(quota.ledger.holder(key, self.now)) };
        let holder = store.holder(&quota.name, key).await.ok_or_else(no_store)?;
        Ok(holder.map(|holder| holder.at(self.now)).filter(|holder| !holder.is_gone()))
    }

    /// All keys with usage, from the store if there is one.
    async fn holders(&self, quota: &Quota) -> Result<Vec<QuotaUse>, Trouble> {
        let Some(store) = self.store else { return Ok(quota.ledger.holders(self.now)) };
        let holders = store.holders(&quota.name).await.ok_or_else(no_store)?;
        let present = holders.into_iter().map(|holder| holder.at(self.now));
        Ok(present.filter(|holder| !holder.is_gone()).collect())
    }

    fn row(&self, quota: &Quota, holder: &QuotaUse) -> Value {
        let mut row = json!({ "key": hex_of_key(holder.key), "label": holder.label });
        for ((window, limit), count) in Window::ALL.into_iter().zip(quota.limits.of).zip(&holder.counts) {
            if let (Some(limit), Some(row)) = (limit, row.as_object_mut()) {
                let until = moment(window.at(count.from.max(window.at(self.now).from)).until);
                let told = json!({ "used": count.used, "limit": limit, "until": until });
                row.insert(window.name().to_owned(), told);
            }
        }
        row
    }
}

/// The used share of the limit that is closest to its end, in millionths.
fn share(quota: &Quota, holder: &QuotaUse) -> u64 {
    let shares = quota.limits.of.iter().zip(&holder.counts);
    let shares = shares.filter_map(|(limit, count)| {
        (*limit).map(|limit| u64::from(count.used) * 1_000_000 / u64::from(limit))
    });
    shares.max().unwrap_or_default()
}

fn no_store() -> Trouble {
    let message = "the store of shared counters does not respond; quotas are counted there";
    Trouble::new(StatusCode::SERVICE_UNAVAILABLE, message)
}

/// The present time.
pub(super) fn now() -> UnixSeconds {
    clock::now().as_second().unsigned_abs()
}
