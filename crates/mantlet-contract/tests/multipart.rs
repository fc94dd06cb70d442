//! Multipart forms against the real Starlette and python-multipart: what clients write is never taken for malformed, and what is read
//! without trouble is read as they read it, however the bytes are cut.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy's own exception does not reach the helpers of test crates"
)]

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use mantlet_contract::multipart::{FormType, Head, Parser, Sink, Trouble, read};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    /// As clients write it.
    honest: bool,
    r#type: String,
    body: String,
    /// Name, file name, and text or content in hex; none if it was refused.
    items: Option<Vec<(String, Option<String>, String)>>,
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Name, file name, content.
type Part = (Vec<u8>, Option<Vec<u8>>, Vec<u8>);

/// Everything that a parser says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    parts: Vec<Part>,
    open: Option<Part>,
    troubles: Vec<Trouble>,
}

impl Sink for Heard {
    type Stop = Infallible;

    fn part(&mut self, head: &Head) -> Result<(), Infallible> {
        assert!(self.open.is_none(), "one part at a time");
        self.open = Some((head.name().to_vec(), head.file_name().map(<[u8]>::to_vec), Vec::new()));
        Ok(())
    }

    fn data(&mut self, data: &[u8]) -> Result<(), Infallible> {
        assert!(!data.is_empty(), "a piece is not empty");
        self.open.as_mut().unwrap().2.extend_from_slice(data);
        Ok(())
    }

    fn part_end(&mut self) -> Result<(), Infallible> {
        self.parts.push(self.open.take().unwrap());
        Ok(())
    }

    fn trouble(&mut self, trouble: Trouble) -> Result<(), Infallible> {
        self.troubles.push(trouble);
        Ok(())
    }
}

fn heard(form_type: &FormType, body: &[u8], pieces: usize) -> Heard {
    let mut heard = Heard::default();
    heard.troubles.extend(form_type.trouble);
    let mut parser = Parser::new(&form_type.boundary);
    for piece in body.chunks(pieces.max(1)) {
        parser.push(piece, &mut heard).unwrap();
    }
    parser.end(&mut heard).unwrap();
    heard
}

#[test]
fn forms_are_read_as_python_multipart_reads_them() {
    let python = std::env::var_os("MANTLET_TEST_PYTHON")
        .unwrap_or_else(|| panic!("MANTLET_TEST_PYTHON is not set: run `cargo xtask test`"));
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let mut child = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/multipart/forms.py"))
        .arg(setting("MANTLET_DIFFERENTIAL_SEED", "7"))
        .arg(setting("MANTLET_DIFFERENTIAL_CASES", "3000"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut honest, mut refused, mut malformed, mut odd, mut compared) = (0, 0, 0, 0, 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let case: Case = serde_json::from_str(&line.unwrap()).unwrap();
        let body = unhex(&case.body);
        let shown = || format!("{}\n{}", case.r#type, String::from_utf8_lossy(&body).escape_debug());
        let form_type = FormType::of(case.r#type.as_bytes()).unwrap_or_else(|| panic!("{}", shown()));
        let ours = heard(&form_type, &body, body.len());
        for pieces in [1, 2, 7] {
            assert_eq!(heard(&form_type, &body, pieces), ours, "in pieces of {pieces}: {}", shown());
        }
        refused += usize::from(case.items.is_none());
        if case.honest {
            honest += 1;
            assert!(ours.troubles.is_empty() && case.items.is_some(), "{:?} {}", ours.troubles, shown());
        }
        if ours.troubles.iter().any(|trouble| trouble.is_malformed()) {
            malformed += 1;
            // Refused there too, but for what only an attack would look like.
            let attack = [
                Trouble::BoundaryRepeated,
                Trouble::CharsetUnknown,
                Trouble::BoundaryEmpty,
                Trouble::HeaderControl,
                Trouble::QuotesUnbalanced,
            ];
            let is_attack = ours.troubles.iter().any(|trouble| attack.contains(trouble));
            assert!(is_attack || case.items.is_none(), "{:?} {}", ours.troubles, shown());
        } else if !ours.troubles.is_empty() {
            odd += 1;
        } else {
            compared += 1;
            let items = case.items.as_ref().unwrap_or_else(|| panic!("refused there: {}", shown()));
            assert_eq!(items.len(), ours.parts.len(), "{}", shown());
            for ((_, file_name, content), (_, own_file_name, own_content)) in items.iter().zip(&ours.parts) {
                assert_eq!(file_name.is_some(), own_file_name.is_some(), "{}", shown());
                assert!(file_name.is_none() || unhex(content) == *own_content, "{}", shown());
            }
            if let Some(form) = read(case.r#type.as_bytes(), &body) {
                let texts: Vec<_> = form.parts.iter().map(|part| (&part.name, part.text.as_ref())).collect();
                let expected: Vec<_> =
                    items.iter().map(|(name, file, text)| (name, file.is_none().then_some(text))).collect();
                assert_eq!(texts, expected, "{}", shown());
            }
        }
    }
    assert!(child.wait().unwrap().success());
    println!(
        "{honest} as clients write them; of the others Starlette refuses {refused}; here {malformed} malformed, {odd} odd, {compared} read alike"
    );
    assert!(honest > 500 && refused > 300 && compared > 1000, "too little was compared");
}
