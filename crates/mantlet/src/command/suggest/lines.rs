//! The lines of a file that may be larger than memory.

use std::io::{self, BufRead, Read};

/// No record is longer; what is, is cut.
const LONGEST: u64 = 1 << 20;

/// Hands on line after line, and whether it has an end: the last one may be half written.
pub(super) fn each(mut from: impl BufRead, mut take: impl FnMut(&[u8], bool)) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = from.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        let is_whole = line.ends_with(b"\n");
        let is_long = !is_whole && read as u64 == LONGEST;
        if is_long {
            from.skip_until(b'\n')?;
        }
        take(line.trim_ascii(), is_whole || is_long);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_one_by_one_whatever_their_length() {
        let long = "x".repeat(3 << 20);
        let text = format!("one\n\n{long}\r\ntwo\r\nto");
        let mut seen = Vec::new();
        each(io::BufReader::with_capacity(7, text.as_bytes()), |line, is_whole| {
            seen.push((line.len(), is_whole));
        })
        .unwrap();
        assert_eq!(seen, [(3, true), (0, true), (1 << 20, true), (3, true), (2, false)]);
        let mut seen = 0;
        each(&b""[..], |_, _| seen += 1).unwrap();
        assert_eq!(seen, 0);
    }
}
