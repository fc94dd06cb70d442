//! Multipart forms (RFC 7578) as Starlette and python-multipart read them.
//!
//! [`Parser`] reads one as its bytes come, in bounded memory and linear time however they are cut. It never takes for malformed what
//! python-multipart reads; what is odd about it nevertheless it tells as [`Trouble`]. A test holds it to the real python-multipart.

mod form;
mod last;
mod options;
mod parser;

pub use form::{Form, Part, read, spans};
pub(crate) use last::last;
pub use options::Options;
pub use parser::{HEAD_SIZE, HEADERS, Parser, Sink};

/// Something in a form that is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// The Content-Type names no boundary.
    BoundaryMissing,
    /// It is empty.
    BoundaryEmpty,
    /// It is longer than python-multipart takes.
    BoundaryTooLong,
    /// It is longer than RFC 2046 allows.
    BoundaryLong,
    /// There is more than one.
    BoundaryRepeated,
    /// A charset that no client sends. Python knows a hundred, in which names and texts are other ones.
    CharsetUnknown,
    /// The body does not begin with it.
    FirstBoundary,
    /// Line ends and something else come before it.
    Preamble,
    /// Blanks follow a boundary.
    BoundaryPadded,
    /// Blanks follow a boundary, and then something else.
    BoundaryPadding,
    /// A line of the content begins with the boundary.
    BoundaryInContent,
    /// The final boundary did not come.
    EndMissing,
    /// A header line has no colon, or a name that is none.
    HeaderName,
    /// A header line ends in CR alone.
    HeaderLineEnd,
    /// A control character in a header.
    HeaderControl,
    /// More headers than [`HEADERS`].
    TooManyHeaders,
    /// They are larger than [`HEAD_SIZE`].
    HeadTooLarge,
    /// A part has no name.
    NameMissing,
    /// A quoted name does not end.
    QuotesUnbalanced,
    /// More than one Content-Disposition or Content-Type.
    HeaderRepeated,
    /// A name or file name comes twice.
    ParameterRepeated,
    /// A file name in a form that RFC 7578 forbids, `filename*=`, and not the plain one's.
    ParameterExtended,
    /// The Content-Disposition is not `form-data`.
    NotFormData,
}

impl Trouble {
    /// Whether python-multipart refuses the form, or nothing but an attack would look like it.
    pub const fn is_malformed(self) -> bool {
        match self {
            Self::BoundaryMissing
            | Self::BoundaryEmpty
            | Self::BoundaryTooLong
            | Self::BoundaryRepeated
            | Self::CharsetUnknown
            | Self::FirstBoundary
            | Self::HeaderName
            | Self::HeaderLineEnd
            | Self::HeaderControl
            | Self::TooManyHeaders
            | Self::HeadTooLarge
            | Self::NameMissing
            | Self::QuotesUnbalanced => true,
            Self::BoundaryLong
            | Self::Preamble
            | Self::BoundaryPadded
            | Self::BoundaryPadding
            | Self::BoundaryInContent
            | Self::EndMissing
            | Self::HeaderRepeated
            | Self::ParameterRepeated
            | Self::ParameterExtended
            | Self::NotFormData => false,
        }
    }

    /// Whether versions of python-multipart differ in where parts begin and end, or in which name counts.
    pub const fn is_ambiguous(self) -> bool {
        matches!(
            self,
            Self::Preamble
                | Self::BoundaryPadded
                | Self::BoundaryPadding
                | Self::HeaderRepeated
                | Self::ParameterRepeated
        )
    }

    /// A few words for the record.
    pub const fn what(self) -> &'static str {
        match self {
            Self::BoundaryMissing => "no boundary",
            Self::BoundaryEmpty => "an empty boundary",
            Self::BoundaryTooLong | Self::BoundaryLong => "a boundary that is too long",
            Self::BoundaryRepeated => "two boundaries",
            Self::CharsetUnknown => "an unknown charset",
            Self::FirstBoundary | Self::Preamble => "does not begin with the boundary",
            Self::BoundaryPadded | Self::BoundaryPadding => "something after a boundary",
            Self::BoundaryInContent => "a boundary in the content",
            Self::EndMissing => "no final boundary",
            Self::HeaderName => "a malformed header",
            Self::HeaderLineEnd => "a header that ends in CR",
            Self::HeaderControl => "a control character in a header",
            Self::TooManyHeaders => "too many headers",
            Self::HeadTooLarge => "headers that are too large",
            Self::NameMissing => "a part without a name",
            Self::QuotesUnbalanced => "a quote that does not end",
            Self::HeaderRepeated => "a header twice",
            Self::ParameterRepeated => "a parameter twice",
            Self::ParameterExtended => "`filename*`",
            Self::NotFormData => "a part that is not `form-data`",
        }
    }
}

/// The headers of a part, as far as they matter.
#[derive(Debug, Default)]
pub struct Head {
    /// Of several the last, as Starlette has it.
    pub disposition: Options,
    /// Of several the first.
    pub content_type: Option<Vec<u8>>,
    headers: usize,
    dispositions: usize,
    repeated: bool,
}

impl Head {
    /// The name of the field.
    pub fn name(&self) -> &[u8] {
        self.disposition.get(b"name").unwrap_or_default()
    }

    /// The name of the file; none if the part is not one.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.disposition.get(b"filename")
    }

    /// The name in `filename*`, which some versions take for that of the file.
    pub fn extended_file_name(&self) -> Option<Vec<u8>> {
        self.disposition.get_extended(b"filename*")
    }

    /// Takes a line in; gives what it is lost for.
    fn take<S: Sink>(&mut self, line: &[u8], sink: &mut S) -> Result<Option<Trouble>, S::Stop> {
        self.headers += 1;
        if self.headers > HEADERS {
            return Ok(Some(Trouble::TooManyHeaders));
        }
        let Some(colon) = memchr::memchr(b':', line).filter(|colon| *colon > 0) else {
            return Ok(Some(Trouble::HeaderName));
        };
        let (name, value) = line.split_at(colon);
        if !name.iter().all(|byte| is_token(*byte)) {
            return Ok(Some(Trouble::HeaderName));
        }
        let value = value.get(1..).unwrap_or_default();
        let blanks = value.iter().take_while(|byte| **byte == b' ').count();
        let value = value.get(blanks..).unwrap_or_default();
        if value.iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)) {
            sink.trouble(Trouble::HeaderControl)?;
        }
        if name.eq_ignore_ascii_case(b"content-disposition") {
            self.dispositions += 1;
            self.repeated |= self.dispositions > 1;
            self.disposition = Options::of(value);
        } else if name.eq_ignore_ascii_case(b"content-type") {
            self.repeated |= self.content_type.is_some();
            self.content_type.get_or_insert_with(|| value.to_vec());
        }
        Ok(None)
    }

    fn troubles(&self) -> impl Iterator<Item = Trouble> {
        let options = &self.disposition;
        [
            (options.quotes_unbalanced, Trouble::QuotesUnbalanced),
            (self.repeated, Trouble::HeaderRepeated),
            (options.repeats(b"name") || options.repeats(b"filename"), Trouble::ParameterRepeated),
            (options.is_extended(), Trouble::ParameterExtended),
            (options.value != b"form-data", Trouble::NotFormData),
        ]
        .into_iter()
        .filter_map(|(is_so, trouble)| is_so.then_some(trouble))
    }
}

/// A character of a token (RFC 9110 section 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// What a Content-Type says of a multipart form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormType {
    /// The boundary; empty if there is none.
    pub boundary: Vec<u8>,
    /// The charset, as it is written.
    pub charset: Option<Vec<u8>>,
    /// What is wrong with it.
    pub trouble: Option<Trouble>,
}

impl FormType {
    /// Reads a Content-Type; none if it is not that of a multipart form.
    pub fn of(content_type: &[u8]) -> Option<Self> {
        // Everything else is told by its first bytes.
        if !content_type.trim_ascii_start().get(..10)?.eq_ignore_ascii_case(b"multipart/") {
            return None;
        }
        let options = Options::of(content_type);
        if options.value != b"multipart/form-data" {
            return None;
        }
        let trouble = match options.get(b"boundary") {
            None => Some(Trouble::BoundaryMissing),
            Some(_) if options.repeats(b"boundary") => Some(Trouble::BoundaryRepeated),
            Some(boundary) => Parser::boundary_trouble(boundary),
        };
        let is_readable = form::Charset::of(options.get(b"charset")).is_some();
        let trouble = trouble.or((!is_readable).then_some(Trouble::CharsetUnknown));
        Some(Self {
            boundary: options.get(b"boundary").unwrap_or_default().to_vec(),
            charset: options.get(b"charset").map(<[u8]>::to_vec),
            trouble,
        })
    }
}
