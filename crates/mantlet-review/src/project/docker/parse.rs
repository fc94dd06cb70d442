//! Reads a Dockerfile as `BuildKit` does: directives, comments, continued lines, here-documents, stages and
//! variables.

use std::collections::BTreeMap;

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instruction {
    /// In capitals.
    pub(super) name: String,
    /// `--from=builder` and the like, without the dashes.
    pub(super) flags: Vec<(String, String)>,
    /// The rest, on one line; of a here-document, its lines, too.
    pub(super) text: String,
    /// Where it begins, from 1.
    pub(super) line: u32,
}

/// What a stage begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    /// An image; none if its name has a variable without a value.
    Image(Option<String>),
    /// An earlier stage, by its number from 0.
    Stage(usize),
    Scratch,
}

/// A stage.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) base: Base,
    pub(super) name: Option<String>,
    /// The line of its `FROM`.
    pub(super) line: u32,
    pub(super) instructions: Vec<Instruction>,
}

/// A Dockerfile.
#[derive(Debug, Default)]
pub(super) struct Dockerfile {
    pub(super) stages: Vec<Stage>,
    /// `ARG` before the first stage.
    pub(super) arguments: Vec<Instruction>,
}

impl Dockerfile {
    pub(super) fn parse(source: &str) -> Self {
        let mut file = Self::default();
        let mut globals = BTreeMap::new();
        for instruction in instructions(source) {
            if instruction.name == "FROM" {
                let stage = file.stage(&instruction, &globals);
                file.stages.push(stage);
            } else if let Some(stage) = file.stages.last_mut() {
                stage.instructions.push(instruction);
            } else if instruction.name == "ARG" {
                for (name, value) in pairs(&instruction) {
                    let value = value.and_then(|value| expand(&value, &globals));
                    globals.insert(name, value);
                }
                file.arguments.push(instruction);
            }
        }
        file
    }

    fn stage(&self, from: &Instruction, globals: &Variables) -> Stage {
        let mut words = from.text.split_whitespace();
        let image = words.next().unwrap_or_default();
        let name =
            words.next().filter(|word| word.eq_ignore_ascii_case("as")).and(words.next()).map(str::to_owned);
        let base = match expand(image, globals) {
            Some(image) if image == "scratch" => Base::Scratch,
            Some(image) => self.number(&image).map_or_else(|| Base::Image(Some(image.clone())), Base::Stage),
            None => Base::Image(None),
        };
        Stage { base, name, line: from.line, instructions: Vec::new() }
    }

    /// The stage with a name. Of two with the same name, the later.
    fn number(&self, name: &str) -> Option<usize> {
        self.stages
            .iter()
            .rposition(|stage| stage.name.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name)))
    }

    /// The stage that a `COPY --from` names, by its name or number, and those that it begins with, itself first.
    pub(super) fn named(&self, name: &str) -> Option<Vec<&Stage>> {
        let at = self.number(name).or_else(|| name.parse().ok())?;
        self.stages.get(at).map(|_| self.chain(at))
    }

    /// The last stage and those that it begins with, the last first. What is in them is in the image.
    pub(super) fn of_image(&self) -> Vec<&Stage> {
        self.stages.len().checked_sub(1).map(|last| self.chain(last)).unwrap_or_default()
    }

    fn chain(&self, at: usize) -> Vec<&Stage> {
        let mut chain = Vec::new();
        let mut at = Some(at);
        while let Some(stage) = at.and_then(|at| self.stages.get(at)) {
            chain.push(stage);
            at = match stage.base {
                Base::Stage(before) => Some(before),
                _ => None,
            };
        }
        chain
    }
}

/// Values of variables; none if it has no default.
pub(super) type Variables = BTreeMap<String, Option<String>>;

/// A text with its variables replaced; none if one has no value.
pub(super) fn expand(text: &str, variables: &Variables) -> Option<String> {
    let text = text.trim_matches('"');
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        if let Some(before) = before.strip_suffix('\\') {
            out.push_str(before);
            out.push('$');
            rest = after;
            continue;
        }
        out.push_str(before);
        let (name, fallback) = if let Some(inner) = after.strip_prefix('{') {
            let (inner, tail) = inner.split_once('}')?;
            rest = tail;
            match inner.split_once(":-").or_else(|| inner.split_once('-')) {
                Some((name, fallback)) => (name, Some(fallback)),
                None if inner.chars().all(is_name) => (inner, None),
                None => return None,
            }
        } else {
            let end = after.find(|letter| !is_name(letter)).unwrap_or(after.len());
            let (name, tail) = after.split_at_checked(end)?;
            rest = tail;
            (name, None)
        };
        let value = variables.get(name).cloned().flatten().filter(|value| !value.is_empty());
        out.push_str(&value.or_else(|| fallback.map(str::to_owned))?);
    }
    out.push_str(rest);
    Some(out)
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The names and values of an `ENV` or `ARG`.
pub(super) fn pairs(instruction: &Instruction) -> Vec<(String, Option<String>)> {
    let words = words(&instruction.text);
    // `ENV NAME value` is the old form, with one name.
    if instruction.name == "ENV"
        && let Some(first) = words.first().filter(|first| !first.contains('='))
    {
        let value = instruction.text.trim_start().strip_prefix(first.as_str()).unwrap_or_default();
        return vec![(first.clone(), Some(value.trim().to_owned()))];
    }
    words
        .into_iter()
        .map(|word| match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word, None),
        })
        .collect()
}

/// Words as a shell parts them, without their quotes.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                if let Some(next) = letters.next() {
                    word.get_or_insert_default().push(next);
                }
            }
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// The instructions of a file.
fn instructions(source: &str) -> Vec<Instruction> {
    let escape = escape(source);
    let mut all = Vec::new();
    let mut lines = (1..).zip(source.lines());
    while let Some((number, line)) = lines.next() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let mut text = String::new();
        let mut part = line;
        loop {
            let end = part.trim_end();
            let Some(open) = end.strip_suffix(escape) else {
                text.push_str(part);
                break;
            };
            text.push_str(open);
            text.push(' ');
            // Comments and empty lines within an instruction are left out.
            let next = lines
                .by_ref()
                .find(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
            match next {
                Some((_, next)) => part = next,
                None => break,
            }
        }
        let (name, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        let name = name.to_ascii_uppercase();
        if !name.chars().all(|letter| letter.is_ascii_alphabetic()) {
            continue;
        }
        let (flags, rest) = flags(rest);
        let mut text = rest.trim().to_owned();
        if matches!(name.as_str(), "RUN" | "COPY" | "ADD") {
            for (end, strips_tabs) in heredocs(&text) {
                for (_, line) in lines.by_ref() {
                    let line = if strips_tabs { line.trim_start_matches('\t') } else { line };
                    if line == end {
                        break;
                    }
                    text.push('\n');
                    text.push_str(line);
                }
            }
        }
        all.push(Instruction { name, flags, text, line: number });
    }
    all
}

/// `# escape=` stands before everything else.
fn escape(source: &str) -> char {
    for line in source.lines() {
        let Some(directive) = line.trim().strip_prefix('#') else { break };
        let Some((key, value)) = directive.split_once('=') else { break };
        if key.trim().eq_ignore_ascii_case("escape") && value.trim() == "`" {
            return '`';
        }
    }
    '\\'
}

fn flags(text: &str) -> (Vec<(String, String)>, &str) {
    let mut flags = Vec::new();
    let mut rest = text.trim_start();
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        flags.push((name.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    (flags, rest)
}

/// The ends of the here-documents that a line opens: `<<EOF`, `<<-"EOF"`. `<<<` is none.
fn heredocs(text: &str) -> Vec<(String, bool)> {
    let mut ends = Vec::new();
    for (at, _) in text.match_indices("<<") {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + 2..).unwrap_or_default();
        if before.ends_with('<') || after.starts_with('<') {
            continue;
        }
        let (after, strips_tabs) = after.strip_prefix('-').map_or((after, false), |after| (after, true));
        let word = after.trim_start_matches(['"', '\'']);
        let end: String = word.chars().take_while(|letter| is_name(*letter)).collect();
        if end.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_') {
            ends.push((end, strips_tabs));
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<(String, String, u32)> {
        instructions(source).into_iter().map(|one| (one.name, one.text, one.line)).collect()
    }

    #[test]
    fn continued_lines_with_comments_between() {
        let source = "# syntax=docker/dockerfile:1\nRUN a \\\n  # a comment\n\n  && b\nUSER app\n";
        let found = names(source);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].1.split_whitespace().collect::<Vec<_>>(), ["a", "&&", "b"]);
        assert_eq!(found[1], ("USER".to_owned(), "app".to_owned(), 6));
    }

    #[test]
    fn another_escape() {
        let source = "# escape=`\nRUN a `\n && b\nCOPY c:\\ d:\\\nUSER app";
        assert_eq!(
            names(source).iter().map(|one| one.0.as_str()).collect::<Vec<_>>(),
            ["RUN", "COPY", "USER"]
        );
    }

    #[test]
    fn here_documents_are_no_instructions() {
        let source = "RUN <<EOF\nUSER root\nENV A=b\nEOF\nCOPY <<-\"END\" /x\n\tUSER root\n\tEND\nUSER app\n";
        let found = names(source);
        assert_eq!(found.iter().map(|one| one.0.as_str()).collect::<Vec<_>>(), ["RUN", "COPY", "USER"]);
        assert_eq!(found[2].2, 8);
    }

    #[test]
    fn stages() {
        let source = "ARG TAG=3.13-slim\nARG NONE\nFROM --platform=$BUILDPLATFORM python:${TAG} AS base\nFROM base as build\nRUN x\nFROM python:$NONE\nFROM scratch\nFROM Base\n";
        let file = Dockerfile::parse(source);
        let bases: Vec<&Base> = file.stages.iter().map(|stage| &stage.base).collect();
        assert_eq!(
            bases,
            [
                &Base::Image(Some("python:3.13-slim".to_owned())),
                &Base::Stage(0),
                &Base::Image(None),
                &Base::Scratch,
                &Base::Stage(0)
            ]
        );
        assert_eq!(file.of_image().iter().map(|stage| stage.line).collect::<Vec<_>>(), [8, 3]);
    }

    #[test]
    fn variables() {
        let of = |text: &str| {
            pairs(&Instruction { name: "ENV".to_owned(), flags: Vec::new(), text: text.to_owned(), line: 1 })
        };
        let pair = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        assert_eq!(
            of("A=1 B=\"two words\" C=a\\ b"),
            [pair("A", "1"), pair("B", "two words"), pair("C", "a b")]
        );
        assert_eq!(of("OLD a value = b"), [pair("OLD", "a value = b")]);
        let known: Variables = [("A".to_owned(), Some("1".to_owned())), ("B".to_owned(), None)].into();
        assert_eq!(expand("x:$A-y", &known).as_deref(), Some("x:1-y"));
        assert_eq!(expand("x:${B:-2}", &known).as_deref(), Some("x:2"));
        assert_eq!(expand("x:${B}", &known), None);
    }
}
