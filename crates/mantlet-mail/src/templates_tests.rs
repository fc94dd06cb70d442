//! Texts of operators, and what is put into them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use mantlet_accounts::outbox::Kind;

use crate::{
    templates::{Templates, Values},
    words::KINDS,
};

/// The folder's files are loaded.
fn load(files: &[(&str, &str)]) -> Result<Templates, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let path = folder.path().display().to_string();
    Templates::load(folder.path()).map_err(|error| error.to_string().replace(&path, "de"))
}

fn values() -> Values {
    Values {
        app: "Orchard".into(),
        link: "https://orchard.example/auth/reset?token=t".into(),
        until: "2026-12-01 12:30 UTC".into(),
        address: "ann@orchard.example".into(),
        ..Values::default()
    }
}

#[test]
fn each_kind_of_mail_has_words_of_ours() {
    let templates = Templates::ours();
    for kind in KINDS {
        let written = templates.write(kind, &values()).unwrap();
        assert!(written.subject.contains("Orchard"), "{written:?}");
        assert!(written.text.contains("ann@orchard.example"), "{written:?}");
        assert!(written.html.contains("<p>"), "{written:?}");
        assert!(!format!("{written:?}").contains("{link}"), "{written:?}");
    }
}

#[test]
fn a_translation_takes_the_place_of_ours_and_the_rest_stays() {
    let templates = load(&[
        ("reset.txt", "Subject: Neues Passwort für {app}\n\nHier: {link}\n"),
        ("reset.html", "<style>p{color:red}</style><p>Hier: <a href='{link}'>klicken</a>, bis {until}</p>"),
        ("verify.txt", "Subject: Adresse\n\nHier:\n{link} & fertig\n"),
    ])
    .unwrap();
    let reset = templates.write(Kind::Reset, &values()).unwrap();
    assert_eq!(reset.subject, "Neues Passwort für Orchard");
    assert_eq!(reset.text, "Hier: https://orchard.example/auth/reset?token=t\n");
    assert!(
        reset.html.starts_with("<style>p{color:red}</style><p>Hier: <a href='https://orchard"),
        "{reset:?}"
    );
    assert!(reset.html.ends_with("bis 2026-12-01 12:30 UTC</p>"), "{reset:?}");
    let verify = templates.write(Kind::Verify, &values()).unwrap();
    assert!(
        verify.html.contains("token=t\">https://orchard.example/auth/reset?token=t</a> &amp; fertig"),
        "{verify:?}"
    );
    assert!(templates.write(Kind::Closed, &values()).unwrap().subject.contains("was closed"));
}

#[test]
fn a_value_is_neither_html_nor_a_header_nor_a_placeholder() {
    let evil = Values {
        app: "<b>{link}\r\nBcc: eve@evil.example".into(),
        address: "\"><script>&'@evil.example".into(),
        ..values()
    };
    let written = Templates::ours().write(Kind::Reset, &evil).unwrap();
    assert_eq!(written.subject, "Set a new password for <b>{link}Bcc: eve@evil.example");
    assert!(written.html.contains("&quot;&gt;&lt;script&gt;&amp;&#39;@evil.example"), "{written:?}");
    assert!(written.html.contains("&lt;b&gt;{link}Bcc"), "{written:?}");
    assert!(!written.html.contains("<script"), "{written:?}");
}

#[test]
fn what_is_wrong_with_a_template_is_said() {
    let error = |files: &[(&str, &str)]| load(files).unwrap_err();
    assert_eq!(
        error(&[("reset.txt", "Subject: x\n\n{lnik}")]),
        "`de/reset.txt`: there is no placeholder `{lnik}`; they are `{app}`, `{link}`, `{until}`, `{address}`, \
         `{other_address}`, `{left}`"
    );
    assert_eq!(
        error(&[("reset.txt", "Subject: x\n\nno link")]),
        "`de/reset.txt`: this mail is sent for its link; write `{link}` into it"
    );
    assert_eq!(
        error(&[("reset.txt", "Subject: x\n\n{link}"), ("reset.html", "<p>")]),
        "`de/reset.html`: this mail is sent for its link; write `{link}` into it"
    );
    assert_eq!(
        error(&[("reset.txt", "Hello {link}")]),
        "`de/reset.txt`: the first line has to be the subject, as in `Subject: Hello`"
    );
    assert_eq!(
        error(&[("reset.html", "<p>{link}")]),
        "`de/reset.txt` is missing: a mail needs its text beside its HTML, and the text has the subject"
    );
    assert!(
        error(&[("rest.txt", "Subject: x")]).starts_with("`de/rest.txt`: there is no mail with this name")
    );
}
