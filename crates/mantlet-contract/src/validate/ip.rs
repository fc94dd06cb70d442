//! IP addresses, interfaces and networks as Python's `ipaddress` reads them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Run;
use crate::fault::Problem;
use crate::number::Int;
use crate::shape::{IpOf, IpRule};
use crate::value::View;

enum Verdict {
    Yes,
    No,
    Unsure,
}

impl<'a> Run<'a> {
    pub(super) fn ip(&mut self, rule: IpRule, view: View<'a>) -> bool {
        let verdict = match view {
            View::Str(text) => match (rule.v4, rule.v6) {
                (true, false) => v4(text, rule.of),
                (false, true) => v6(text, rule.of),
                _ => match (v4(text, rule.of), v6(text, rule.of)) {
                    (Verdict::No, Verdict::No) => Verdict::No,
                    _ => Verdict::Unsure,
                },
            },
            // A number is an address too; `IPv4Address(True)` is 0.0.0.1.
            View::Int(digits) => match Int::parse(digits) {
                Some(Int::Small(int)) if int >= 0 && (rule.v6 || int <= i64::from(u32::MAX)) => Verdict::Yes,
                Some(Int::Small(_)) => Verdict::No,
                _ => Verdict::Unsure,
            },
            View::Bool(_) => Verdict::Yes,
            View::None | View::Float(_) | View::List(_) | View::Dict(_) => Verdict::No,
            View::Bytes(_) | View::Unknown => Verdict::Unsure,
        };
        match verdict {
            Verdict::Yes => true,
            Verdict::Unsure => self.unsure(),
            Verdict::No => self.refuse(|| problem(rule)),
        }
    }
}

fn problem(rule: IpRule) -> Problem {
    let kind = match rule.of {
        IpOf::Address => "address",
        IpOf::Interface => "interface",
        IpOf::Network => "network",
    };
    match (rule.v4, rule.v6) {
        (true, false) => Problem::new(format!("ip_v4_{kind}"), format!("Input is not a valid IPv4 {kind}")),
        (false, true) => Problem::new(format!("ip_v6_{kind}"), format!("Input is not a valid IPv6 {kind}")),
        _ => Problem::new(format!("ip_any_{kind}"), format!("value is not a valid IPv4 or IPv6 {kind}")),
    }
}

fn v4(text: &str, of: IpOf) -> Verdict {
    let Some((address, prefix)) = split(text, of) else { return Verdict::No };
    let Ok(address) = address.parse::<Ipv4Addr>() else { return Verdict::No };
    match prefix {
        None => Verdict::Yes,
        Some(prefix) => match digits(prefix) {
            Some(bits) if bits > 32 => Verdict::No,
            Some(bits) if of == IpOf::Network => {
                let host = if bits == 0 { u32::MAX } else { u32::MAX.checked_shr(bits).unwrap_or(0) };
                if address.to_bits() & host == 0 { Verdict::Yes } else { Verdict::No }
            }
            Some(_) => Verdict::Yes,
            None if prefix.parse::<Ipv4Addr>().is_ok() => Verdict::Unsure,
            None => Verdict::No,
        },
    }
}

fn v6(text: &str, of: IpOf) -> Verdict {
    if text.contains('%') {
        return Verdict::Unsure;
    }
    let Some((address, prefix)) = split(text, of) else { return Verdict::No };
    let Ok(address) = address.parse::<Ipv6Addr>() else { return Verdict::No };
    match prefix.map(digits) {
        Some(Some(bits)) if bits > 128 => Verdict::No,
        Some(Some(bits)) if of == IpOf::Network => {
            let host = if bits == 0 { u128::MAX } else { u128::MAX.checked_shr(bits).unwrap_or(0) };
            if address.to_bits() & host == 0 { Verdict::Yes } else { Verdict::No }
        }
        None | Some(Some(_)) => Verdict::Yes,
        Some(None) => Verdict::No,
    }
}

/// An address and what is after its slash; an address alone has none.
fn split(text: &str, of: IpOf) -> Option<(&str, Option<&str>)> {
    match text.split_once('/') {
        None => Some((text, None)),
        Some(_) if of == IpOf::Address => None,
        Some((_, prefix)) if prefix.contains('/') => None,
        Some((address, prefix)) => Some((address, Some(prefix))),
    }
}

fn digits(prefix: &str) -> Option<u32> {
    let plain = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| prefix.parse().unwrap_or(u32::MAX))
}
