//! Banned addresses: `GET` and `DELETE /bans`, `DELETE /bans/{address}`.

use http::StatusCode;
use mantlet_controls::{
    Mode, Policy,
    audit::{Record, Sink},
    throttle::bans::{Bans, Lift},
};
use serde_json::{Value, json};

use super::trouble::Trouble;
use crate::clock;

pub(super) fn list(policy: &Policy) -> Value {
    let bans = policy.throttle.bans();
    let mode = bans.map_or(Mode::Off, Bans::mode);
    json!({ "throttle": policy.throttle.mode(), "mode": mode, "bans": bans.map(Bans::list).unwrap_or_default() })
}

pub(super) fn lift_all(bans: Option<&Bans>, audit: &impl Sink) -> Result<Value, Trouble> {
    let lifted = enforced(bans)?.lift_all();
    for address in &lifted {
        audit.record(Record::of_lifted(address, clock::now()));
    }
    Ok(json!({ "lifted": lifted }))
}

pub(super) fn lift(bans: Option<&Bans>, address: &str, audit: &impl Sink) -> Result<Value, Trouble> {
    match enforced(bans)?.lift(address) {
        Lift::Lifted(address) => {
            audit.record(Record::of_lifted(&address, clock::now()));
            Ok(json!({ "lifted": [address] }))
        }
        Lift::NotBanned => {
            let message = format!("`{address}` is not banned; `mantlet bans` lists the bans");
            Err(Trouble::new(StatusCode::NOT_FOUND, message))
        }
        Lift::NoAddress => {
            let message =
                format!("`{address}` is not an address; pass one that `mantlet bans` lists, or `all`");
            Err(Trouble::new(StatusCode::BAD_REQUEST, message))
        }
    }
}

fn enforced(bans: Option<&Bans>) -> Result<&Bans, Trouble> {
    bans.filter(|bans| bans.mode() == Mode::Enforce).ok_or_else(|| {
        let message = "no address is banned: `mode` under `[throttle.ban]` is not `enforce`";
        Trouble::new(StatusCode::NOT_FOUND, message)
    })
}
