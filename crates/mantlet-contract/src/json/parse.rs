//! The parser: the grammar, the order of checks and the messages of Python's `_json.c` and `json/decoder.py`.

use std::collections::HashSet;
use std::ops::Range;

use super::error::{Decode, ParseError};
use super::node::{Node, Tag};
use super::text::{self, Scanned};
use super::{Json, Odd};

/// Digits that Python's `int()` reads: `sys.get_int_max_str_digits()`.
const MAX_DIGITS: usize = 4300;
/// Objects up to this size are searched for double keys by comparing all.
const FEW: u32 = 8;

/// Bounds and manners.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Containers inside each other. Default 128 (Python raises at about 1,000).
    pub depth: usize,
    /// The minor version of the app's Python 3: since 13 it has own words for a comma too many.
    pub python: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 128, python: 13 }
    }
}

/// Parses a body as `json.loads` does.
pub fn parse(body: &[u8], limits: Limits) -> Result<Json<'_>, ParseError> {
    let (bytes, offset) = match body.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => (rest, 3),
        None => (body, 0),
    };
    if u32::try_from(body.len()).is_err() {
        return Err(ParseError::Size);
    }
    // Python takes a null byte at the start for UTF-16 or UTF-32.
    if offset == 0 && body.len() > 1 && body.iter().take(2).any(|byte| *byte == 0) {
        return Err(ParseError::Encoding);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ParseError::Encoding)?;
    let mut parser = Parser::<false> {
        text,
        bytes,
        at: 0,
        nodes: Vec::with_capacity(bytes.len() / 12 + 1),
        decoded: Vec::new(),
        open: Vec::new(),
        odd: Odd { byte_order_mark: offset != 0, ..Odd::default() },
        offset,
        limits,
    };
    parser.run().map_err(|stop| match stop {
        Stop::Depth => ParseError::Depth(limits.depth),
        Stop::At(position, message) => {
            let position = text.get(..position).map_or(0, |before| before.chars().count());
            ParseError::Decode(Decode { position, message })
        }
    })?;
    let Parser { nodes, decoded, odd, .. } = parser;
    #[expect(clippy::cast_possible_truncation, reason = "three")]
    Ok(Json { text, nodes, decoded, offset: offset as u32, odd })
}

/// Parses the first value of a text as far as its meaning is clear: a comma too many does no harm, and what follows the value is left.
/// Says where that begins.
pub fn parse_first(body: &[u8]) -> Result<(Json<'_>, usize), ParseError> {
    if u32::try_from(body.len()).is_err() {
        return Err(ParseError::Size);
    }
    let text = std::str::from_utf8(body).map_err(|_| ParseError::Encoding)?;
    let limits = Limits { depth: usize::MAX, python: 0 };
    let mut parser = Parser::<true> {
        text,
        bytes: body,
        at: 0,
        nodes: Vec::new(),
        decoded: Vec::new(),
        open: Vec::new(),
        odd: Odd::default(),
        offset: 0,
        limits,
    };
    parser.first().map_err(|stop| {
        let (position, message) = match stop {
            Stop::At(position, message) => (position, message),
            Stop::Depth => (0, "nested too deeply"),
        };
        ParseError::Decode(Decode { position, message })
    })?;
    let Parser { nodes, decoded, odd, at, .. } = parser;
    Ok((Json { text, nodes, decoded, offset: 0, odd }, at))
}

/// Why parsing stopped; positions are bytes here.
pub(super) enum Stop {
    At(usize, &'static str),
    Depth,
}

/// If it is lenient, a comma may stand at the end of a container. Two programs, because strict JSON is
/// on the road of every request.
struct Parser<'a, const LENIENT: bool> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    decoded: Vec<Box<str>>,
    /// The containers that are open, and whether they are objects.
    open: Vec<(u32, bool)>,
    odd: Odd,
    offset: usize,
    limits: Limits,
}

impl<const LENIENT: bool> Parser<'_, LENIENT> {
    fn first(&mut self) -> Result<(), Stop> {
        self.space();
        loop {
            self.value()?;
            if !self.after_value()? {
                return Ok(());
            }
        }
    }

    fn run(&mut self) -> Result<(), Stop> {
        self.first()?;
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(Stop::At(self.at, "Extra data")) }
    }

    /// Reads a scalar or an empty container, or opens containers down to the first value in them.
    fn value(&mut self) -> Result<(), Stop> {
        loop {
            match self.peek() {
                Some(b'"') => return self.string(),
                Some(b'{') => {
                    self.open(Tag::Object)?;
                    if self.peek() == Some(b'}') {
                        self.close();
                        return Ok(());
                    }
                    self.key()?;
                }
                Some(b'[') => {
                    self.open(Tag::Array)?;
                    if self.peek() == Some(b']') {
                        self.close();
                        return Ok(());
                    }
                }
                _ => return self.scalar(),
            }
        }
    }

    /// After a value: closes what ends here. False at the end, true if another value must follow.
    fn after_value(&mut self) -> Result<bool, Stop> {
        while let Some(&(container, object)) = self.open.last() {
            if let Some(node) = self.nodes.get_mut(container as usize) {
                node.extra += 1;
            }
            self.space();
            match self.peek() {
                Some(b',') => {
                    let comma = self.at;
                    self.at += 1;
                    self.space();
                    let end = if object { b'}' } else { b']' };
                    if LENIENT && self.peek() == Some(end) {
                        self.close();
                        continue;
                    }
                    if self.limits.python >= 13 && self.peek() == Some(end) {
                        let message = if object {
                            "Illegal trailing comma before end of object"
                        } else {
                            "Illegal trailing comma before end of array"
                        };
                        return Err(Stop::At(comma, message));
                    }
                    if object {
                        self.key()?;
                    }
                    return Ok(true);
                }
                Some(b'}') if object => self.close(),
                Some(b']') if !object => self.close(),
                _ => return Err(Stop::At(self.at, "Expecting ',' delimiter")),
            }
        }
        Ok(false)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// What is between the start and here, as a node.
    fn push(&mut self, tag: Tag, start: usize, extra: u32) {
        let next = offset(self.nodes.len() + 1);
        self.nodes.push(Node { tag, start: offset(start), end: offset(self.at), next, extra });
    }

    fn open(&mut self, tag: Tag) -> Result<(), Stop> {
        if self.open.len() >= self.limits.depth {
            return Err(Stop::Depth);
        }
        self.open.push((offset(self.nodes.len()), tag == Tag::Object));
        self.push(tag, self.at, 0);
        self.at += 1;
        self.space();
        Ok(())
    }

    fn close(&mut self) {
        self.at += 1;
        let Some((container, object)) = self.open.pop() else { return };
        let doubled = if object { self.doubled(container) } else { None };
        let (next, end) = (offset(self.nodes.len()), offset(self.at));
        if let Some(node) = self.nodes.get_mut(container as usize) {
            node.next = next;
            node.end = end;
            if let Some(span) = doubled {
                node.tag = Tag::Doubled;
                self.odd.duplicate_key.get_or_insert(span);
            }
        }
    }

    fn key(&mut self) -> Result<(), Stop> {
        if self.peek() != Some(b'"') {
            return Err(Stop::At(self.at, "Expecting property name enclosed in double quotes"));
        }
        self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(Stop::At(self.at, "Expecting ':' delimiter"));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn string(&mut self) -> Result<(), Stop> {
        let start = self.at;
        match text::scan(self.text, start)? {
            Scanned::Plain { end } => {
                self.at = end;
                self.push(Tag::Plain, start, 0);
            }
            Scanned::Decoded { end, text, broken } => {
                self.at = end;
                let index = offset(self.decoded.len());
                self.decoded.push(text.into());
                if broken {
                    let span = self.span(start);
                    self.odd.surrogate.get_or_insert(span);
                }
                self.push(if broken { Tag::Broken } else { Tag::Decoded }, start, index);
            }
        }
        Ok(())
    }

    fn span(&self, start: usize) -> Range<usize> {
        start + self.offset..self.at + self.offset
    }

    fn scalar(&mut self) -> Result<(), Stop> {
        let start = self.at;
        for (word, tag) in [
            ("null", Tag::Null),
            ("true", Tag::True),
            ("false", Tag::False),
            ("NaN", Tag::NaN),
            ("Infinity", Tag::Infinity),
            ("-Infinity", Tag::MinusInfinity),
        ] {
            if self.bytes.get(start..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
                self.at += word.len();
                self.push(tag, start, 0);
                if matches!(tag, Tag::NaN | Tag::Infinity | Tag::MinusInfinity) {
                    let span = self.span(start);
                    self.odd.constant.get_or_insert(span);
                }
                return Ok(());
            }
        }
        self.number()
    }

    fn number(&mut self) -> Result<(), Stop> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let first = self.at;
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(Stop::At(start, "Expecting value")),
        }
        let digits = self.at - first;
        let mut float = false;
        if self.peek() == Some(b'.') && self.bytes.get(self.at + 1).is_some_and(u8::is_ascii_digit) {
            float = true;
            self.at += 1;
            self.digits();
        }
        if let Some(b'e' | b'E') = self.peek() {
            let before = self.at;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                float = true;
                self.digits();
            } else {
                self.at = before;
            }
        }
        let tag = if float {
            Tag::Float
        } else if digits > MAX_DIGITS {
            let span = self.span(start);
            self.odd.huge_integer.get_or_insert(span);
            Tag::HugeInt
        } else {
            Tag::Int
        };
        self.push(tag, start, 0);
        Ok(())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    /// The first member whose key came before in the object that ends here. Linear for large objects: the set is keyed at random.
    fn doubled(&self, container: u32) -> Option<Range<usize>> {
        let count = self.nodes.get(container as usize)?.extra;
        if count < 2 {
            return None;
        }
        let keys = || {
            let mut at = container as usize + 1;
            std::iter::from_fn(move || {
                let key = self.nodes.get(at)?;
                let value = self.nodes.get(key.next as usize)?;
                at = value.next as usize;
                Some((self.key_text(key), key.start as usize + self.offset..value.end as usize + self.offset))
            })
        };
        if count <= FEW {
            return keys()
                .enumerate()
                .find(|(index, (key, _))| keys().take(*index).any(|(earlier, _)| earlier == *key))
                .map(|(_, (_, span))| span);
        }
        let mut seen = HashSet::with_capacity(count as usize);
        keys().find(|(key, _)| !seen.insert(*key)).map(|(_, span)| span)
    }

    fn key_text(&self, key: &Node) -> &str {
        match key.tag {
            Tag::Plain => self.text.get(key.start as usize + 1..key.end as usize - 1).unwrap_or_default(),
            _ => self.decoded.get(key.extra as usize).map_or("", |text| text),
        }
    }
}

/// The body is known to be shorter than 4 GiB, and there are fewer nodes than bytes.
#[expect(clippy::cast_possible_truncation, reason = "checked at the start")]
const fn offset(at: usize) -> u32 {
    at as u32
}
