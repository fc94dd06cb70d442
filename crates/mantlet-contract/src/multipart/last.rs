//! One field of a form that may be odd.

use super::{FormType, Head, Parser, Sink, Trouble, form::Charset};
use crate::inputs::Named;

/// The last field of a name. Unlike [`super::read`] it is not put off by what is odd and read nevertheless.
pub(crate) fn last(content_type: &[u8], body: &[u8], name: &str) -> Named {
    let Some(form_type) = FormType::of(content_type) else { return Named::Nothing };
    let (Some(charset), false) = (
        Charset::of(form_type.charset.as_deref()),
        form_type.trouble.is_some_and(|trouble| trouble.is_malformed() || trouble.is_ambiguous()),
    ) else {
        return Named::Unsure;
    };
    let mut finder =
        Finder { name, charset, is_it: false, is_file: false, content: Vec::new(), found: Named::Nothing };
    let mut parser = Parser::new(&form_type.boundary);
    match parser.push(body, &mut finder) {
        Ok(()) => finder.found,
        Err(Ambiguous) => Named::Unsure,
    }
}

struct Finder<'n> {
    name: &'n str,
    charset: Charset,
    /// This part has the name.
    is_it: bool,
    is_file: bool,
    content: Vec<u8>,
    found: Named,
}

/// It may be read in more than one way.
struct Ambiguous;

impl Sink for Finder<'_> {
    type Stop = Ambiguous;

    fn part(&mut self, head: &Head) -> Result<(), Ambiguous> {
        self.is_it = self.charset.decode(head.name()) == self.name;
        self.is_file = head.file_name().is_some();
        self.content.clear();
        Ok(())
    }

    fn data(&mut self, data: &[u8]) -> Result<(), Ambiguous> {
        if self.is_it && !self.is_file {
            self.content.extend_from_slice(data);
        }
        Ok(())
    }

    fn part_end(&mut self) -> Result<(), Ambiguous> {
        if self.is_it {
            // An upload is not a text, but it is the last part of its name.
            self.found = if self.is_file {
                Named::Nothing
            } else {
                Named::Text(self.charset.decode(&self.content).into_owned())
            };
        }
        Ok(())
    }

    fn trouble(&mut self, trouble: Trouble) -> Result<(), Ambiguous> {
        if trouble.is_malformed() || trouble.is_ambiguous() { Err(Ambiguous) } else { Ok(()) }
    }
}
