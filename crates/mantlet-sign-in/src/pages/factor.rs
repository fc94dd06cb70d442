//! The second factor of who is logged in.

use http::StatusCode;
use mantlet_accounts::{
    Fault, Secret,
    accounts::{Confirmed, FactorChange},
};
use maud::{Markup, PreEscaped, html};
use qrcode::{EcLevel, QrCode, render::svg};

use super::{
    Own,
    account::{event, refused, weak_text},
    frame::{Field, Said, form, notice, page as whole, see_other},
    shared::filled,
};
use crate::asked::{Answer, What};

const TITLE: &str = "Second step at login";
const WRONG: &str = "The password or the code is not right. Nothing was changed.";

pub(super) async fn show(own: &Own<'_>) -> Result<Answer, Fault> {
    page(own, None).await
}

async fn page(own: &Own<'_>, said: Option<&Said>) -> Result<Answer, Fault> {
    let settings = own.page.place.settings;
    let summary = own.page.sign_in.accounts.summary(&own.session.account).await?;
    let is_wrong = said.is_some();
    let password = Field::password("current", "Current password").wrong(is_wrong);
    if !summary.is_some_and(|summary| summary.has_second_factor) {
        let content = html! {
            p { "With it, a login asks for your password and for a code from an app on your phone. A stolen password alone opens nothing." }
            p { "You need an authenticator app, such as Aegis, FreeOTP, or the one of your password manager." }
            (form(&settings.at("/account/second-factor"), &[], &[password], "Set up"))
        };
        return Ok(whole(&own.page.place, TITLE, said, &content));
    }
    let code = Field::code("From your app, or a recovery code.").wrong(is_wrong);
    // Two forms on one page: each has ids of its own.
    let part = |title: &str, text: &str, action: &str, prefix: &str, button: &str| {
        html! {
            details open[is_wrong] {
                summary { (title) }
                p { (text) }
                form method="post" action=(settings.at(action)) {
                    @for field in [password, code] {
                        (field.with_prefix(prefix))
                    }
                    button type="submit" { (button) }
                }
            }
        }
    };
    let content = html! {
        p { "A login asks for your password and a code." }
        (part("New recovery codes", "The old ones are worth nothing afterwards.", "/account/second-factor/codes", "codes-", "Make new codes"))
        (part("Turn it off", "A login then asks for your password alone.", "/account/second-factor/remove", "off-", "Turn off"))
    };
    Ok(whole(&own.page.place, TITLE, said, &content))
}

/// Makes a secret, and shows it.
pub(super) async fn begin(own: &Own<'_>) -> Result<Answer, Fault> {
    let made = match filled(&own.page.form, "current") {
        Some(password) => own.page.sign_in.accounts.enrol_factor(&own.session.account, &password).await?,
        None => FactorChange::Refused,
    };
    let FactorChange::Done(enrolment) = made else {
        let failed = Said::failed(super::account::WRONG_PASSWORD);
        return Ok(refused(own, page(own, Some(&failed)).await?));
    };
    let secret = spaced(enrolment.secret.expose());
    let content = html! {
        p { "Scan this with your authenticator app:" }
        (picture(enrolment.url.expose()))
        p { "Or type this into it: " code { (secret) } }
        (entry(own, false))
    };
    Ok(whole(&own.page.place, "Set up your authenticator app", None, &content))
}

fn entry(own: &Own<'_>, is_wrong: bool) -> Markup {
    let field = Field::code("The six digits that the app shows now.").wrong(is_wrong);
    form(&own.page.place.settings.at("/account/second-factor/confirm"), &[], &[field], "Turn on")
}

/// Groups of four are typed with fewer mistakes.
fn spaced(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().collect();
    letters.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

fn picture(url: &str) -> Markup {
    let Ok(code) = QrCode::with_error_correction_level(url, EcLevel::M) else { return html! {} };
    let drawn = code.render::<svg::Color<'_>>().quiet_zone(true).min_dimensions(200, 200).build();
    // The picture stands in the page itself, without the head of a file.
    let drawn = drawn.find("<svg").and_then(|at| drawn.get(at..)).unwrap_or_default().to_owned();
    html! { div .qr role="img" aria-label="QR code with the same text as below" { (PreEscaped(drawn)) } }
}

pub(super) async fn confirm(own: &Own<'_>) -> Result<Answer, Fault> {
    let (now, accounts) = (own.page.now, &own.page.sign_in.accounts);
    let confirmed = match filled(&own.page.form, "code") {
        Some(code) => accounts.confirm_factor(now, &own.session.account, &code).await?,
        None => FactorChange::Refused,
    };
    let FactorChange::Done(codes) = confirmed else {
        let failed = Said::failed(
            "This code is not right. Wait for the next one in your app and enter that. The entry in your app is still good.",
        );
        let content = html! {
            (entry(own, true))
            p .links { a href=(own.page.place.settings.at("/account/second-factor")) { "Begin again" } }
        };
        return Ok(refused(
            own,
            whole(&own.page.place, "Set up your authenticator app", Some(&failed), &content),
        ));
    };
    let mut answer = recovery(own, &codes, "Codes are asked for from now on.");
    answer.event = Some(event(What::SecondFactorOn, own.session));
    Ok(answer)
}

fn recovery(own: &Own<'_>, codes: &Confirmed, done: &'static str) -> Answer {
    let content = html! {
        p { strong { "Print these recovery codes, or write them down." } " Each is good for one login without your phone. They are shown only now." }
        ul .codes { @for code in codes { li { (expose(code)) } } }
        p .links { a href=(own.page.place.settings.at("/account")) { "I have kept them" } }
    };
    whole(&own.page.place, "Your recovery codes", Some(&Said::Done(done)), &content)
}

fn expose(code: &Secret<String>) -> &str {
    code.expose()
}

pub(super) async fn renew(own: &Own<'_>) -> Result<Answer, Fault> {
    let (now, accounts) = (own.page.now, &own.page.sign_in.accounts);
    let made = match (filled(&own.page.form, "current"), filled(&own.page.form, "code")) {
        (Some(password), Some(code)) => {
            accounts.new_recovery_codes(now, &own.session.account, &password, &code).await?
        }
        _ => FactorChange::Refused,
    };
    let FactorChange::Done(codes) = made else {
        return Ok(refused(own, page(own, Some(&Said::failed(WRONG))).await?));
    };
    let mut answer = recovery(own, &codes, "The old codes are worth nothing now.");
    answer.event = Some(event(What::RecoveryCodesRenewed, own.session));
    Ok(answer)
}

pub(super) async fn remove(own: &Own<'_>) -> Result<Answer, Fault> {
    let (now, accounts) = (own.page.now, &own.page.sign_in.accounts);
    let removed = match (filled(&own.page.form, "current"), filled(&own.page.form, "code")) {
        (Some(password), Some(code)) => {
            accounts.remove_factor(now, &own.session.account, &password, &code).await?
        }
        _ => FactorChange::Refused,
    };
    match removed {
        FactorChange::Done(()) => {
            let mut answer = see_other(&own.page.place.settings.with("/account", "done", "factor-off"));
            answer.event = Some(event(What::SecondFactorOff, own.session));
            Ok(answer)
        }
        FactorChange::Weak(weak) => {
            let content = html! {
                p { "Without codes your password has to be a longer one. " (weak_text(&weak)) }
                p .links { a href=(own.page.place.settings.at("/account/password")) { "Change your password" } }
            };
            Ok(notice(
                &own.page.place,
                StatusCode::UNPROCESSABLE_ENTITY,
                "Change your password first",
                &content,
            ))
        }
        FactorChange::Refused => Ok(refused(own, page(own, Some(&Said::failed(WRONG))).await?)),
    }
}
