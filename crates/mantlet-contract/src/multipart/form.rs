//! A whole form at once.

use std::borrow::Cow;
use std::ops::Range;

use super::{FormType, Head, Parser, Sink, Trouble};

/// A form that has been read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Its complete parts in their order.
    pub parts: Vec<Part>,
}

/// A part of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The name of the field.
    pub name: String,
    /// Its text; none for an upload.
    pub text: Option<String>,
    /// What an upload holds, if it is one at all: browsers send an empty one without a name where no file was chosen.
    pub content: Option<Vec<u8>>,
}

/// Reads a form as Starlette does; none if the app may read it otherwise, or refuse it.
pub fn read(content_type: &[u8], body: &[u8]) -> Option<Form> {
    let form_type = FormType::of(content_type).filter(|form_type| form_type.trouble.is_none())?;
    let mut reader = Reader {
        charset: Charset::of(form_type.charset.as_deref())?,
        form: Form::default(),
        name: String::new(),
        is_file: false,
        has_file_name: false,
        content: Vec::new(),
    };
    // Nothing at all is a form without fields.
    if !body.is_empty() {
        let mut parser = Parser::new(&form_type.boundary);
        parser.push(body, &mut reader).and_then(|()| parser.end(&mut reader)).ok()?;
    }
    Some(reader.form)
}

struct Reader {
    charset: Charset,
    form: Form,
    name: String,
    is_file: bool,
    has_file_name: bool,
    content: Vec<u8>,
}

/// The app decides.
struct Unsure;

impl Sink for Reader {
    type Stop = Unsure;

    fn part(&mut self, head: &Head) -> Result<(), Unsure> {
        self.name = self.charset.decode(head.name()).into_owned();
        self.is_file = head.file_name().is_some();
        self.has_file_name = head.file_name().is_some_and(|name| !name.is_empty());
        self.content.clear();
        Ok(())
    }

    fn data(&mut self, data: &[u8]) -> Result<(), Unsure> {
        self.content.extend_from_slice(data);
        Ok(())
    }

    fn part_end(&mut self) -> Result<(), Unsure> {
        let name = std::mem::take(&mut self.name);
        let content = std::mem::take(&mut self.content);
        self.form.parts.push(if self.is_file {
            let is_one = self.has_file_name || !content.is_empty();
            Part { name, text: None, content: is_one.then_some(content) }
        } else {
            Part { name, text: Some(self.charset.decode(&content).into_owned()), content: None }
        });
        Ok(())
    }

    fn trouble(&mut self, _: Trouble) -> Result<(), Unsure> {
        Err(Unsure)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Charset {
    Utf8,
    Ascii,
    Latin1,
}

impl Charset {
    /// Those that are sent; Python knows a hundred more.
    pub(super) fn of(name: Option<&[u8]>) -> Option<Self> {
        let Some(name) = name else { return Some(Self::Utf8) };
        let name: Vec<u8> = name.iter().filter(|byte| !matches!(byte, b'-' | b'_')).copied().collect();
        match name.to_ascii_lowercase().as_slice() {
            b"utf8" => Some(Self::Utf8),
            b"ascii" | b"usascii" => Some(Self::Ascii),
            b"latin1" | b"iso88591" => Some(Self::Latin1),
            _ => None,
        }
    }

    /// What cannot be decoded is latin-1.
    pub(super) fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        let text = match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok(),
            Self::Ascii | Self::Latin1 => std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()),
        };
        text.map_or_else(|| bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into(), Cow::from)
    }
}

/// Where each part of a form stands, from its boundary to the next one; none if that is not certain.
pub fn spans(content_type: &[u8], body: &[u8]) -> Option<Vec<Range<usize>>> {
    let form_type = FormType::of(content_type).filter(|form_type| form_type.trouble.is_none())?;
    let parts = read(content_type, body)?.parts.len();
    if body.is_empty() {
        return Some(Vec::new());
    }
    // In a form without trouble no content holds the boundary at the beginning of a line.
    let line = [b"--", form_type.boundary.as_slice()].concat();
    let delimiter = [b"\r\n", line.as_slice()].concat();
    let first = body.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    body.get(first..).filter(|rest| rest.starts_with(&line))?;
    let after = body.get(first + line.len()..)?;
    let others = memchr::memmem::find_iter(after, &delimiter).map(|at| first + line.len() + at + 2);
    let begins: Vec<_> = std::iter::once(first).chain(others).collect();
    let spans: Vec<_> = begins.windows(2).filter_map(|pair| Some(*pair.first()?..*pair.last()?)).collect();
    (spans.len() == parts).then_some(spans)
}
