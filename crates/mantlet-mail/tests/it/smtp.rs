//! What a mail server gets, and what it answers.

use std::{fs, os::unix::fs::PermissionsExt};

use mantlet_mail::{Outcome, Sender, Site, Templates, Transport};
use serde_json::json;

use crate::kit::{Sink, accounts, certified, header, later, now, plain, register, send, sender, site};

#[tokio::test]
async fn a_mail_has_both_parts_its_link_and_the_headers_of_a_mail_that_no_person_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path()).await;
    register(&accounts, "ann@orchard.example").await;
    let mut sink = Sink::start(&json!({}));
    let Some(Outcome::Sent { id, .. }) = send(&accounts, &plain(sink.port), now()).await else {
        panic!("not sent")
    };
    let mail = sink.line();
    assert_eq!(
        (&mail["from"], &mail["to"]),
        (&json!("no-reply@orchard.example"), &json!(["ann@orchard.example"]))
    );
    assert_eq!(mail["defects"], json!([]));
    assert_eq!(mail["hello"], "orchard.example");
    assert_eq!(header(&mail, "From"), ["Orchard <no-reply@orchard.example>"]);
    assert_eq!(header(&mail, "To"), ["ann@orchard.example"]);
    assert_eq!(header(&mail, "Subject"), ["Confirm your address for Orchard"]);
    assert_eq!(header(&mail, "Date"), ["Mon, 30 Nov 2026 12:00:00 +0000"]);
    assert_eq!(header(&mail, "Auto-Submitted"), ["auto-generated"]);
    assert_eq!(header(&mail, "Message-ID"), [format!("<{id}@orchard.example>")]);
    assert_eq!(mail["type"], "multipart/alternative");
    let parts = mail["parts"].as_array().unwrap();
    assert_eq!((&parts[0][0], &parts[1][0]), (&json!("text/plain"), &json!("text/html")));
    let (text, html) = (parts[0][1].as_str().unwrap(), parts[1][1].as_str().unwrap());
    let start = "https://orchard.example/auth/verify?token=";
    let link = text.split_whitespace().find(|word| word.starts_with(start)).expect("a link");
    assert!(html.contains(&format!("<a href=\"{link}\">")), "{html}");
    assert!(text.contains("until 2026-12-01 12:00 UTC"), "{text}");
    // The link opens what it is for.
    let token = mantlet_accounts::Secret::new(link.strip_prefix(start).unwrap().to_owned());
    assert!(accounts.verify(now(), &token).await.unwrap().is_some());
    assert!(send(&accounts, &plain(sink.port), now()).await.is_none());
    assert!(sink.rest().is_empty());
}

#[tokio::test]
async fn a_name_that_is_made_to_be_a_header_stays_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path()).await;
    register(&accounts, "ann@orchard.example").await;
    let mut sink = Sink::start(&json!({}));
    let evil = "Ö<i>\r\nBcc: eve@evil.example\r\n\r\nHello";
    let site = Site::new(evil, "https://orchard.example", "").unwrap();
    let transport = Transport::open(&format!("smtp://127.0.0.1:{}", sink.port), None, &site).unwrap();
    let sender = Sender::new(site, "no-reply@orchard.example", Templates::ours(), transport).unwrap();
    assert!(matches!(send(&accounts, &sender, now()).await, Some(Outcome::Sent { .. })));
    let mail = sink.line();
    assert_eq!(mail["to"], json!(["ann@orchard.example"]));
    assert!(header(&mail, "Bcc").is_empty(), "{mail}");
    assert_eq!(header(&mail, "Subject"), ["Confirm your address for Ö<i>Bcc: eve@evil.exampleHello"]);
    assert!(mail["parts"][1][1].as_str().unwrap().contains("Ö&lt;i&gt;Bcc"), "{mail}");
}

#[tokio::test]
async fn starttls_comes_before_the_password_and_the_certificate_has_to_be_good() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path()).await;
    register(&accounts, "ann@orchard.example").await;
    let (authority, mut options) = certified(folder.path());
    options["login"] = json!(["ann@smtp", "p:/%"]);
    let mut sink = Sink::start(&options);
    let url = |host: &str| format!("smtp://ann%40smtp:p%3A%2F%25@{host}:{}", sink.port);

    // Another authority, and another name.
    let (other, _) = certified(tempfile::tempdir().unwrap().path());
    let bad = [sender(&url("localhost"), Some(&other)), sender(&url("127.0.0.1"), Some(&authority))];
    for (at, sender) in [0, 600].into_iter().zip(bad) {
        match send(&accounts, &sender, later(at)).await {
            Some(Outcome::Deferred { reason, .. }) => assert!(reason.contains("certificate"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
    let good = sender(&url("localhost"), Some(&authority));
    let Some(Outcome::Sent { .. }) = send(&accounts, &good, later(3600)).await else { panic!() };
    let mail = sink.line();
    assert_eq!((&mail["encrypted"], &mail["user"]), (&json!(true), &json!("ann@smtp")));
    assert!(sink.rest().is_empty());
}

#[tokio::test]
async fn a_server_that_should_encrypt_and_does_not_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path()).await;
    register(&accounts, "ann@orchard.example").await;
    let (authority, _) = certified(folder.path());
    let sink = Sink::start(&json!({}));
    let sender = sender(&format!("smtp://a:b@localhost:{}", sink.port), Some(&authority));
    match send(&accounts, &sender, now()).await {
        Some(Outcome::Deferred { reason, .. }) => assert!(reason.contains("STARTTLS"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert!(sink.rest().is_empty());
}

#[tokio::test]
async fn smtps_is_encrypted_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path()).await;
    register(&accounts, "ann@orchard.example").await;
    let (authority, mut options) = certified(folder.path());
    options["implicit"] = json!(true);
    options["login"] = json!(["ann", "secret"]);
    let mut sink = Sink::start(&options);
    let sender = sender(&format!("smtps://ann:secret@localhost:{}", sink.port), Some(&authority));
    assert!(matches!(send(&accounts, &sender, now()).await, Some(Outcome::Sent { .. })));
    let mail = sink.line();
    assert_eq!(mail["user"], "ann");
}

#[tokio::test]
async fn a_folder_gets_each_mail_as_a_file_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = accounts(folder.path()).await;
    register(&accounts, "ann@orchard.example").await;
    let mails = folder.path().join("mails");
    let sender = sender(&format!("file:{}", mails.display()), None);
    let Some(Outcome::Sent { id, .. }) = send(&accounts, &sender, now()).await else { panic!("not sent") };
    let files: Vec<_> = fs::read_dir(&mails).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, [format!("{id}.eml").as_str()]);
    let file = mails.join(format!("{id}.eml"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&file).unwrap().contains("Auto-Submitted: auto-generated\r\n"));
}

#[test]
fn what_is_wrong_with_a_setting_is_said_without_the_password() {
    for url in [
        "http://a:hunter2@mail.example",
        "smtp://hunter2@mail.example",
        "smtps://a:hunter2@mail.example/x",
        "x",
    ] {
        let error = Transport::open(url, None, &site()).unwrap_err().to_string();
        assert!(error.contains("smtps://USER:PASSWORD@HOST:465") && !error.contains("hunter2"), "{error}");
    }
    let error = Transport::open("smtp://mail.example", Some(b"no PEM"), &site()).unwrap_err().to_string();
    assert_eq!(error, "the authority of the mail server has no certificate in PEM format");
    for url in ["orchard.example", "https://orchard.example/app", "ftp://orchard.example"] {
        assert!(
            Site::new("Orchard", url, "/auth").unwrap_err().to_string().contains("https://orchard.example")
        );
    }
}
