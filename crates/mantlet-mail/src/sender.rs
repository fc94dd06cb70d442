//! Makes a message of a mail, and hands it over.

use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue},
    },
};
use mantlet_accounts::outbox::{Kind, Mail};

use crate::{
    fault::{Failure, Unusable},
    site::Site,
    templates::{Templates, Values},
    transport::Transport,
};

/// Sends mails.
#[derive(Debug)]
pub struct Sender {
    site: Site,
    from: Mailbox,
    templates: Templates,
    transport: Transport,
}

/// RFC 3834: holiday notices and the like do not answer.
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Sender {
    /// `from` is an address, or `Name <address>`. Without a name it is that of the app.
    pub fn new(site: Site, from: &str, templates: Templates, transport: Transport) -> Result<Self, Unusable> {
        let mut from: Mailbox = from.parse().map_err(|error| {
            Unusable(format!(
                "`{from}` cannot be the sender of mails, write it as `no-reply@orchard.example`: {error}"
            ))
        })?;
        if from.name.is_none() {
            from.name = Some(site.app().chars().filter(|c| !c.is_control()).collect());
        }
        Ok(Self { site, from, templates, transport })
    }

    /// Sends one mail.
    pub async fn send(&self, now: Timestamp, mail: &Mail) -> Result<(), Failure> {
        let ends = mail.facts.until.filter(|until| *until <= now);
        if let (Some(until), Kind::Verify | Kind::Reset | Kind::ConfirmAddress) = (ends, mail.kind) {
            return Err(Failure::ForGood(format!("its link has ended at {}", written(until))));
        }
        let message = self.message(now, mail)?;
        self.transport.hand_over(&mail.id, message.envelope(), message.formatted()).await
    }

    fn message(&self, now: Timestamp, mail: &Mail) -> Result<Message, Failure> {
        let for_good =
            |error: &dyn std::fmt::Display| Failure::ForGood(format!("no mail can be made of it: {error}"));
        let to: Address = mail.address.parse().map_err(|error| for_good(&error))?;
        let facts = &mail.facts;
        let values = Values {
            app: self.site.app().to_owned(),
            link: self.site.link(mail.kind, facts.token.as_ref()),
            until: facts.until.map(written).unwrap_or_default(),
            address: mail.address.clone(),
            other_address: facts.other_address.clone().unwrap_or_default(),
            left: facts.left.map(|left| left.to_string()).unwrap_or_default(),
        };
        let words = self.templates.write(mail.kind, &values);
        let words = words.ok_or_else(|| for_good(&"it has no template"))?;
        let part = |kind, body: String| {
            let encoding = ContentTransferEncoding::QuotedPrintable;
            SinglePart::builder().header(kind).header(encoding).body(body)
        };
        let parts = MultiPart::alternative()
            .singlepart(part(ContentType::TEXT_PLAIN, words.text))
            .singlepart(part(ContentType::TEXT_HTML, words.html));
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(words.subject)
            .date(UNIX_EPOCH + Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0)))
            // The same when a mail comes twice, so that a mailbox may show it once.
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            .header(AutoSubmitted)
            .multipart(parts)
            .map_err(|error| for_good(&error))
    }
}

/// A time as mails say it.
fn written(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
