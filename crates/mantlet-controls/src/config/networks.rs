//! Networks of addresses, as a configuration names them.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// A set of networks; looking an address up costs the logarithm of their number.
#[derive(Debug, Clone, Default)]
pub struct Networks {
    /// Sorted, disjoint, inclusive ranges. IPv4 lives in its IPv4-mapped IPv6 range.
    ranges: Vec<(u128, u128)>,
}

/// The meaning of `private`: RFC 1918, RFC 6598 and unique local addresses (RFC 4193).
const PRIVATE: [&str; 5] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];
/// The meaning of `loopback`.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

impl Networks {
    /// Reads networks, addresses and the words `loopback` and `private`; an error lists what could not be read.
    pub fn parse(texts: &[String]) -> Result<Self, Vec<(usize, &str)>> {
        let (mut networks, mut bad) = (Vec::new(), Vec::new());
        for (index, text) in texts.iter().enumerate() {
            match Self::read(text) {
                Some(read) => networks.extend(read),
                None => bad.push((index, text.as_str())),
            }
        }
        if bad.is_empty() { Ok(networks.into_iter().collect()) } else { Err(bad) }
    }

    /// Reads one text of [`Networks::parse`].
    pub(crate) fn read(text: &str) -> Option<Vec<IpNet>> {
        let one = [text];
        let parts: &[&str] = match text {
            "private" => &PRIVATE,
            "loopback" => &LOOPBACK,
            _ => &one,
        };
        let parts = parts.iter();
        parts.map(|part| part.parse().or_else(|_| part.parse::<IpAddr>().map(IpNet::from)).ok()).collect()
    }

    /// How many ranges there are, where those that touch are one.
    pub(crate) const fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether the set is empty.
    pub const fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether the address is in one of the networks.
    pub fn contains(&self, address: IpAddr) -> bool {
        let position = position(address);
        let after = self.ranges.partition_point(|(start, _)| *start <= position);
        after.checked_sub(1).and_then(|i| self.ranges.get(i)).is_some_and(|(_, end)| position <= *end)
    }
}

impl FromIterator<IpNet> for Networks {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        let ends = |net: IpNet| (position(net.network()), position(net.broadcast()));
        let mut ranges: Vec<_> = networks.into_iter().map(ends).collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (start, end) in ranges {
            match merged.last_mut() {
                Some(last) if start <= last.1.saturating_add(1) => last.1 = last.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        Self { ranges: merged }
    }
}

fn position(address: IpAddr) -> u128 {
    let address: Ipv6Addr = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    u128::from(address)
}
