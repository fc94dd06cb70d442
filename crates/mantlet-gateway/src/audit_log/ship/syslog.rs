//! A line as a syslog message (RFC 5424). The line is the message, byte for byte.

use jiff::Timestamp;
use mantlet_controls::audit::Severity;

use super::line::Line;

/// Longest name of a message (MSGID), in bytes.
const LONGEST_ID: usize = 32;
/// Longest name of a machine, in bytes.
const LONGEST_HOST: usize = 255;
/// The largest number of a message; after it comes 1 (section 7.3.1).
const LARGEST_NUMBER: u64 = 2_147_483_647;

/// What all messages have.
#[derive(Debug)]
pub(super) struct Header {
    facility: u8,
    host: String,
    process: u32,
}

impl Header {
    pub(super) fn new(facility: u8) -> Self {
        let name = rustix::system::uname();
        Self {
            facility,
            host: printable(&name.nodename().to_string_lossy(), LONGEST_HOST),
            process: std::process::id(),
        }
    }

    fn priority(&self, severity: Severity) -> u8 {
        self.facility * 8
            + match severity {
                Severity::High => 3,
                Severity::Medium => 4,
                Severity::Low => 5,
                Severity::Informational => 6,
            }
    }

    /// A message of RFC 5424.
    pub(super) fn message(&self, line: &Line) -> Vec<u8> {
        let facts = line.facts();
        // At most six digits of a second.
        let time = facts.time().map_or_else(|| "-".to_owned(), |time| format!("{time:.6}"));
        let head = format!(
            "<{}>1 {time} {} mantlet {} {} [origin software=\"mantlet\" swVersion=\"{}\"][meta sequenceId=\"{}\"] ",
            self.priority(facts.severity()),
            self.host,
            self.process,
            printable(facts.event(), LONGEST_ID),
            env!("CARGO_PKG_VERSION"),
            line.seq() % LARGEST_NUMBER + 1,
        );
        [head.as_bytes(), &line.text].concat()
    }

    /// A message with its length before it, for a connection (RFC 6587 section 3.4.1, RFC 5425 section 4.3).
    pub(super) fn frame(&self, line: &Line) -> Vec<u8> {
        let message = self.message(line);
        [message.len().to_string().as_bytes(), b" ", &message].concat()
    }

    /// A message as the C library writes it to a socket of this machine, which every daemon there reads.
    pub(super) fn local(&self, line: &Line) -> Vec<u8> {
        let facts = line.facts();
        let time = facts.time().unwrap_or(Timestamp::UNIX_EPOCH).strftime("%b %e %H:%M:%S");
        let head = format!("<{}>{time} mantlet[{}]: ", self.priority(facts.severity()), self.process);
        [head.as_bytes(), &line.text].concat()
    }
}

/// Printable ASCII without spaces (`PRINTUSASCII`), or `-`.
fn printable(text: &str, longest: usize) -> String {
    let text: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_the_message() {
        let header = Header { facility: 13, host: "web1.example".into(), process: 42 };
        let text = r#"{"seq":17,"prev":"abc","time":"2026-11-30T16:47:01.972123456Z","security_event":"request-refused","action":"refuse","outcome":"denied","user":"ä"}"#;
        let line = Line::of(text.into(), "log", 0, 0).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let message = format!(
            "<108>1 2026-11-30T16:47:01.972123Z web1.example mantlet 42 request-refused [origin software=\"mantlet\" swVersion=\"{version}\"][meta sequenceId=\"18\"] {text}"
        );
        assert_eq!(String::from_utf8(header.message(&line)).unwrap(), message);
        let frame = format!("{} {message}", message.len());
        assert_eq!(String::from_utf8(header.frame(&line)).unwrap(), frame);
        let local = format!("<108>Nov 30 16:47:01 mantlet[42]: {text}");
        assert_eq!(String::from_utf8(header.local(&line)).unwrap(), local);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let header = Header { facility: 1, host: "h".into(), process: 1 };
        let line = Line::of(br#"{"seq":2147483646,"prev":""}"#.to_vec(), "log", 0, 0).unwrap();
        let message = String::from_utf8(header.message(&line)).unwrap();
        assert!(message.starts_with("<14>1 - h mantlet 1 - [origin "), "{message}");
        assert!(message.contains("sequenceId=\"2147483647\""), "{message}");
        assert_eq!(printable("a b\nä\u{7f}", 9), "ab");
        assert_eq!(printable(&"x".repeat(99), LONGEST_ID).len(), LONGEST_ID);
    }
}
