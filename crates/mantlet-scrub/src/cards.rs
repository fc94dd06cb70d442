//! Numbers of payment cards.
//!
//! A run of digits is one if (1) it has the length that its issuer's prefix asks for, (2) its check digit is right
//! (Luhn), and (3) it stands alone: together, or in the groups that are printed on cards, with spaces or hyphens.

use std::ops::Range;

/// Digits in groups, as they are printed on cards.
const GROUPS: [&[usize]; 4] = [&[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 4, 3]];

/// Where card numbers stand in a line, from left to right.
pub(crate) fn find(line: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = line.iter().skip(at).position(u8::is_ascii_digit).map(|more| at + more) {
        let run = digits(line, start);
        if stands_apart(line, start)
            && let Some(end) = ends(line, start, run)
        {
            found.push(start..end);
            at = end;
        } else {
            at = start + run;
        }
    }
    found
}

/// How many digits stand here.
fn digits(line: &[u8], from: usize) -> usize {
    line.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count()
}

/// Whether what stands here is not the rest of something longer.
fn stands_apart(line: &[u8], start: usize) -> bool {
    let before = start.checked_sub(1).and_then(|at| line.get(at));
    before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"-._".contains(byte))
}

/// Where the card number ends that begins here.
fn ends(line: &[u8], start: usize, run: usize) -> Option<usize> {
    let whole = std::iter::once((start + run, line.get(start..start + run)?.to_vec()));
    let grouped = GROUPS.iter().filter_map(|groups| grouped(line, start, groups));
    whole.chain(grouped).find_map(|(end, digits)| {
        let after = (line.get(end), line.get(end + 1));
        let goes_on = match after {
            (Some(byte), _) if byte.is_ascii_alphanumeric() || *byte == b'_' => true,
            (Some(b'-' | b'.'), Some(next)) => next.is_ascii_alphanumeric(),
            _ => false,
        };
        (!goes_on && is_card(&digits)).then_some(end)
    })
}

/// The digits of groups with one and the same separator between them.
fn grouped(line: &[u8], start: usize, groups: &[usize]) -> Option<(usize, Vec<u8>)> {
    let (mut at, mut all) = (start, Vec::new());
    let mut separator = None;
    for (index, &length) in groups.iter().enumerate() {
        if index > 0 {
            let this = line.get(at).filter(|byte| b" -".contains(byte))?;
            if *separator.get_or_insert(*this) != *this {
                return None;
            }
            at += 1;
        }
        if digits(line, at) != length {
            return None;
        }
        all.extend(line.get(at..at + length)?);
        at += length;
    }
    Some((at, all))
}

fn is_card(digits: &[u8]) -> bool {
    let number = |count: usize| {
        digits.iter().take(count).fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'))
    };
    let is_issued = match digits.len() {
        13 => number(1) == 4,
        14 => matches!(number(2), 36 | 38 | 39) || matches!(number(3), 300..=305),
        15 => matches!(number(2), 34 | 37),
        16 => {
            matches!(number(1), 4)
                || matches!(number(2), 51..=55 | 62 | 65)
                || matches!(number(3), 644..=649)
                || matches!(number(4), 2221..=2720 | 6011 | 3528..=3589)
        }
        17 | 18 => number(2) == 62,
        19 => matches!(number(1), 4) || matches!(number(2), 62 | 65),
        _ => false,
    };
    is_issued && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| match (index % 2, u32::from(digit - b'0')) {
            (0, digit) => digit,
            (_, digit) => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<&str> {
        find(line.as_bytes()).into_iter().map(|range| &line[range]).collect()
    }

    #[test]
    fn cards_are_found() {
        for card in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "30569309025904",
            "3530111333300000",
            "4222222222222",
            "6205500000000000004",
        ] {
            for line in
                [card.to_owned(), format!("order 17 {card}, 2 items"), format!("{{\"card\": \"{card}\"}}")]
            {
                assert_eq!(found(&line), [card], "{line}");
            }
        }
        assert_eq!(found("4111111111111111 5555555555554444").len(), 2);
    }

    #[test]
    fn other_numbers_are_not() {
        for line in [
            "4111111111111112",
            "1764534103123456",
            "41111111111111111",
            "4111 1111-1111 1111",
            "a4111111111111111",
            "4111111111111111f",
            "0.4111111111111111",
            "4111111111111111-4111-8111",
            "550e8400-e29b-41d4-a716-446655440000",
            "2026-11-30 20:28:18,123 1234",
        ] {
            assert_eq!(found(line), [""; 0], "{line}");
        }
    }
}
