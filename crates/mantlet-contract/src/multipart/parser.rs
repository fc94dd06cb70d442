//! Multipart as its bytes come.

use memchr::{memchr, memmem, memrchr};

use super::{Head, Trouble};

/// Bytes that the headers of a part may have, and how many there may be. python-multipart allows 8 of 4 KiB each; what is sent has two.
pub const HEAD_SIZE: usize = 8 << 10;
/// See [`HEAD_SIZE`].
pub const HEADERS: usize = 16;
/// Bytes of a boundary that python-multipart takes; RFC 2046 allows 70.
const LONGEST_BOUNDARY: usize = 256;
const LONGEST_STANDARD_BOUNDARY: usize = 70;

/// Receives the parts of a form.
pub trait Sink {
    /// Why it wants no more.
    type Stop;
    /// A part begins.
    fn part(&mut self, head: &Head) -> Result<(), Self::Stop>;
    /// A piece of its content.
    fn data(&mut self, data: &[u8]) -> Result<(), Self::Stop>;
    /// It is complete.
    fn part_end(&mut self) -> Result<(), Self::Stop>;
    /// Something is not as it should be.
    fn trouble(&mut self, trouble: Trouble) -> Result<(), Self::Stop>;
}

/// Reads multipart as python-multipart does, in memory that does not depend on its size. After trouble that python-multipart refuses it
/// reads nothing more.
#[derive(Debug)]
pub struct Parser {
    /// CR LF `--` and the boundary.
    delimiter: Box<[u8]>,
    finder: memmem::Finder<'static>,
    state: State,
    line: Vec<u8>,
    /// Bytes of this part's headers so far.
    head_size: usize,
    head: Head,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first boundary, and whether a line end has come.
    Start(bool),
    /// What follows line ends, up to a hyphen.
    Preamble,
    /// So many bytes of the first boundary have come.
    First(usize),
    /// After the first boundary, and one byte more.
    AfterFirst(Option<u8>),
    Header,
    /// CR has ended a line.
    HeaderEnd,
    /// So many bytes of a delimiter have come.
    Data(usize),
    /// A delimiter has come, and one byte more.
    AfterDelimiter(Option<u8>),
    /// Blanks after a boundary, then CR.
    Padding(bool),
    End,
    /// Nothing can be read any more.
    Lost,
}

impl Parser {
    /// A parser for what has this boundary. A CR or LF cannot be part of one: it came in a header.
    pub fn new(boundary: &[u8]) -> Self {
        let delimiter = [b"\r\n--", boundary].concat().into_boxed_slice();
        let finder = memmem::Finder::new(&delimiter).into_owned();
        let (line, head) = (Vec::new(), Head::default());
        Self { delimiter, finder, state: State::Start(false), line, head_size: 0, head }
    }

    /// What is odd about a boundary; python-multipart takes it nevertheless, or does not.
    pub fn boundary_trouble(boundary: &[u8]) -> Option<Trouble> {
        match boundary.len() {
            0 => Some(Trouble::BoundaryEmpty),
            length if length > LONGEST_BOUNDARY => Some(Trouble::BoundaryTooLong),
            length if length > LONGEST_STANDARD_BOUNDARY => Some(Trouble::BoundaryLong),
            _ => None,
        }
    }

    /// Reads the next piece.
    pub fn push<S: Sink>(&mut self, mut data: &[u8], sink: &mut S) -> Result<(), S::Stop> {
        while !data.is_empty() {
            data = match self.state {
                State::Start(_) | State::Preamble | State::First(_) | State::AfterFirst(_) => {
                    self.before(data, sink)?
                }
                State::Header | State::HeaderEnd => self.header(data, sink)?,
                State::Data(matched) => self.data(data, matched, sink)?,
                State::AfterDelimiter(_) | State::Padding(_) => self.after_delimiter(data, sink)?,
                State::End | State::Lost => &[],
            };
        }
        Ok(())
    }

    /// There is no more.
    pub fn end<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Stop> {
        if matches!(self.state, State::End | State::Lost) {
            return Ok(());
        }
        self.state = State::Lost;
        sink.trouble(Trouble::EndMissing)
    }

    fn lose<'d, S: Sink>(&mut self, trouble: Trouble, sink: &mut S) -> Result<&'d [u8], S::Stop> {
        self.state = State::Lost;
        sink.trouble(trouble)?;
        Ok(&[])
    }

    fn before<'d, S: Sink>(&mut self, data: &'d [u8], sink: &mut S) -> Result<&'d [u8], S::Stop> {
        let Some((first, rest)) = data.split_first() else { return Ok(data) };
        match self.state {
            State::Start(_) if matches!(first, b'\r' | b'\n') => {
                self.state = State::Start(true);
                Ok(rest)
            }
            State::Start(true) if *first != b'-' => {
                // Skipped by some versions, and only if all of it comes at once.
                sink.trouble(Trouble::Preamble)?;
                self.state = State::Preamble;
                Ok(data)
            }
            State::Start(_) => {
                self.state = State::First(0);
                Ok(data)
            }
            State::Preamble => {
                let found = memchr(b'-', data);
                if found.is_some() {
                    self.state = State::First(0);
                }
                Ok(found.and_then(|at| data.get(at..)).unwrap_or_default())
            }
            State::First(matched) => {
                if self.delimiter.get(2 + matched) != Some(first) {
                    return self.lose(Trouble::FirstBoundary, sink);
                }
                let matched = matched + 1;
                self.state = if matched + 2 == self.delimiter.len() {
                    State::AfterFirst(None)
                } else {
                    State::First(matched)
                };
                Ok(rest)
            }
            State::AfterFirst(before) => {
                self.state = match (before, first) {
                    (None, b'\r' | b'-') => State::AfterFirst(Some(*first)),
                    (Some(b'\r'), b'\n') => self.new_part(),
                    (Some(b'-'), b'-') => State::End,
                    _ => return self.lose(Trouble::FirstBoundary, sink),
                };
                Ok(rest)
            }
            _ => Ok(data),
        }
    }

    fn new_part(&mut self) -> State {
        self.head = Head::default();
        self.head_size = 0;
        State::Header
    }

    fn header<'d, S: Sink>(&mut self, data: &'d [u8], sink: &mut S) -> Result<&'d [u8], S::Stop> {
        if self.state == State::Header {
            let (line, rest) = match memchr(b'\r', data) {
                Some(at) => {
                    self.state = State::HeaderEnd;
                    (data.get(..at).unwrap_or_default(), data.get(at + 1..).unwrap_or_default())
                }
                None => (data, &[][..]),
            };
            self.head_size += line.len();
            if self.head_size > HEAD_SIZE {
                return self.lose(Trouble::HeadTooLarge, sink);
            }
            self.line.extend_from_slice(line);
            return Ok(rest);
        }
        let Some(rest) = data.strip_prefix(b"\n") else { return self.lose(Trouble::HeaderLineEnd, sink) };
        if self.line.is_empty() {
            return self.head_complete(rest, sink);
        }
        let line = std::mem::take(&mut self.line);
        let read = self.head.take(&line, sink);
        self.line = line;
        self.line.clear();
        self.state = State::Header;
        match read? {
            Some(trouble) => self.lose(trouble, sink),
            None => Ok(rest),
        }
    }

    fn head_complete<'d, S: Sink>(&mut self, rest: &'d [u8], sink: &mut S) -> Result<&'d [u8], S::Stop> {
        // Some versions take `name*` for a name.
        if self.head.disposition.get(b"name").is_none() && !self.head.disposition.is_extended() {
            return self.lose(Trouble::NameMissing, sink);
        }
        for trouble in self.head.troubles() {
            sink.trouble(trouble)?;
        }
        sink.part(&self.head)?;
        self.state = State::Data(0);
        Ok(rest)
    }

    /// Content up to a delimiter. A CR begins the delimiter and stands nowhere else in it, so what has come of one that does not go on is
    /// content, and the next can begin only with the byte that is looked at.
    fn data<'d, S: Sink>(
        &mut self,
        data: &'d [u8],
        matched: usize,
        sink: &mut S,
    ) -> Result<&'d [u8], S::Stop> {
        if matched > 0 {
            let expected = self.delimiter.get(matched..).unwrap_or_default();
            let common = expected.iter().zip(data).take_while(|(a, b)| a == b).count();
            if common == expected.len() {
                self.state = State::AfterDelimiter(None);
            } else if common == data.len() {
                self.state = State::Data(matched + common);
            } else {
                sink.data(self.delimiter.get(..matched + common).unwrap_or_default())?;
                self.state = State::Data(0);
            }
            return Ok(data.get(common..).unwrap_or_default());
        }
        if let Some(at) = self.finder.find(data) {
            if at > 0 {
                sink.data(data.get(..at).unwrap_or_default())?;
            }
            self.state = State::AfterDelimiter(None);
            return Ok(data.get(at + self.delimiter.len()..).unwrap_or_default());
        }
        let tail = data.len().saturating_sub(self.delimiter.len() - 1);
        let begun = memrchr(b'\r', data.get(tail..).unwrap_or_default())
            .map(|at| tail + at)
            .filter(|at| self.delimiter.starts_with(data.get(*at..).unwrap_or_default()));
        let end = begun.unwrap_or(data.len());
        if end > 0 {
            sink.data(data.get(..end).unwrap_or_default())?;
        }
        self.state = State::Data(data.len() - end);
        Ok(&[])
    }

    fn after_delimiter<'d, S: Sink>(&mut self, data: &'d [u8], sink: &mut S) -> Result<&'d [u8], S::Stop> {
        let Some((first, rest)) = data.split_first() else { return Ok(data) };
        self.state = match (self.state, first) {
            (State::AfterDelimiter(None), b'\r' | b'-') => State::AfterDelimiter(Some(*first)),
            (State::AfterDelimiter(None), b' ' | b'\t') => {
                // Some versions take this for content.
                sink.trouble(Trouble::BoundaryPadded)?;
                State::Padding(false)
            }
            (State::AfterDelimiter(Some(b'\r')) | State::Padding(true), b'\n') => {
                sink.part_end()?;
                self.new_part()
            }
            (State::AfterDelimiter(Some(b'-')), b'-') => {
                sink.part_end()?;
                State::End
            }
            (State::Padding(false), b' ' | b'\t') => State::Padding(false),
            (State::Padding(false), b'\r') => State::Padding(true),
            (State::Padding(_), _) => {
                // Some versions refuse this, others take it for content.
                sink.trouble(Trouble::BoundaryPadding)?;
                sink.data(&self.delimiter)?;
                self.state = State::Data(0);
                return Ok(data);
            }
            (State::AfterDelimiter(before), _) => {
                sink.trouble(Trouble::BoundaryInContent)?;
                sink.data(&self.delimiter)?;
                if let Some(before) = before {
                    sink.data(&[before])?;
                }
                self.state = State::Data(0);
                return Ok(data);
            }
            (state, _) => state,
        };
        Ok(rest)
    }
}
