//! Writes small databases of countries (`.mmdb`, version 2.0).

use std::net::{IpAddr, Ipv6Addr};

#[derive(Clone, Copy)]
enum Slot {
    Empty,
    Node(usize),
    Data(usize),
}

/// A database with the countries of these networks, which must not overlap. A country in brackets is only
/// where the network is registered.
pub(crate) fn database(kind: &str, networks: &[(&str, &str)]) -> Vec<u8> {
    let (mut nodes, mut data) = (vec![[Slot::Empty; 2]], Vec::new());
    for (network, country) in networks {
        let (address, length) = network.split_once('/').expect("a network");
        let length: usize = length.parse().expect("a length");
        // IPv4 is in the first 96 bits of zeros.
        let (bits, length) = match address.parse().expect("an address") {
            IpAddr::V4(address) => (u128::from(u32::from(address)), length + 96),
            IpAddr::V6(address) => (Ipv6Addr::to_bits(address), length),
        };
        let offset = data.len();
        let (field, code) = match country.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(code) => ("registered_country", code),
            None => ("country", *country),
        };
        data.push(0xe1);
        text(&mut data, field);
        data.push(0xe1);
        text(&mut data, "iso_code");
        text(&mut data, code);
        let mut node = 0;
        for at in 0..length {
            let side = usize::from(bits >> (127 - at) & 1 == 1);
            if at + 1 == length {
                nodes[node][side] = Slot::Data(offset);
            } else {
                let next = if let Slot::Node(next) = nodes[node][side] { next } else { nodes.len() };
                if next == nodes.len() {
                    nodes.push([Slot::Empty; 2]);
                    nodes[node][side] = Slot::Node(next);
                }
                node = next;
            }
        }
    }
    let mut file = Vec::new();
    for slot in nodes.iter().flatten() {
        let value = match slot {
            Slot::Empty => nodes.len(),
            Slot::Node(number) => *number,
            Slot::Data(offset) => nodes.len() + 16 + offset,
        };
        file.extend(u32::try_from(value).expect("a small database").to_be_bytes());
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com\xe9");
    text(&mut file, "node_count");
    file.push(0xc4);
    file.extend(u32::try_from(nodes.len()).expect("a small database").to_be_bytes());
    for (name, value) in [
        ("record_size", 32_u16),
        ("ip_version", 6),
        ("binary_format_major_version", 2),
        ("binary_format_minor_version", 0),
    ] {
        text(&mut file, name);
        file.push(0xa2);
        file.extend(value.to_be_bytes());
    }
    text(&mut file, "build_epoch");
    file.extend([0x08, 0x02]);
    file.extend(1_764_460_800_u64.to_be_bytes());
    text(&mut file, "database_type");
    text(&mut file, kind);
    text(&mut file, "languages");
    file.extend([0x00, 0x04]);
    text(&mut file, "description");
    file.push(0xe1);
    text(&mut file, "en");
    text(&mut file, "for tests");
    file
}

fn text(file: &mut Vec<u8>, text: &str) {
    file.push(0x40 | u8::try_from(text.len()).ok().filter(|length| *length < 29).expect("a short text"));
    file.extend(text.as_bytes());
}
