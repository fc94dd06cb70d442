//! One certificate, from the account to the file.

use std::time::{Duration, SystemTime};

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::{
    Challenge, Settings,
    challenge::{Challenges, Guard},
    client::{Client, Fault},
    state::{Fetched, Folder, StoredAccount},
    trouble::Trouble,
};

/// How to poll the server. Validation takes some seconds, and longer if the server is under load.
const POLLING: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(250)).backoff(1.5).timeout(Duration::from_mins(3));

/// The account from the folder, or a new one.
pub(super) async fn account(settings: &Settings, client: &Client) -> Result<Account, Trouble> {
    let (folder, trouble) = (Folder(&settings.folder), |error| Trouble::of(error, settings));
    let builder = || Account::builder_with_http(Box::new(client.clone()));
    let contact: Vec<_> = settings.contact.iter().map(String::as_str).collect();
    if let Some(stored) = folder.account() {
        let is_as_it_was = stored.contact == settings.contact;
        let account = builder().from_credentials(stored.credentials).await.map_err(trouble)?;
        if is_as_it_was {
            return Ok(account);
        }
        match account.update_contacts(&contact).await {
            Ok(()) => {
                if let Some(stored) = folder.account() {
                    keep(settings, &StoredAccount { contact: settings.contact.clone(), ..stored })?;
                }
                return Ok(account);
            }
            Err(error) if is_of_nobody(&error) => {}
            Err(error) => return Err(trouble(error)),
        }
    }
    new_account(settings, client).await
}

async fn new_account(settings: &Settings, client: &Client) -> Result<Account, Trouble> {
    let contact: Vec<_> = settings.contact.iter().map(String::as_str).collect();
    // INVARIANT: settings exist only if the operator has accepted the terms.
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let builder = Account::builder_with_http(Box::new(client.clone()));
    let created = builder.create(&new, settings.directory.clone(), None).await;
    let (account, credentials) = created.map_err(|error| Trouble::of(error, settings))?;
    keep(settings, &StoredAccount { contact: settings.contact.clone(), credentials })?;
    Ok(account)
}

fn keep(settings: &Settings, account: &StoredAccount) -> Result<(), Trouble> {
    Folder(&settings.folder).keep_account(account).map_err(|error| Trouble::folder(&settings.folder, &error))
}

/// Fetches a certificate for all domains and keeps it.
pub(super) async fn certificate(
    settings: &Settings,
    client: &Client,
    challenges: &Challenges,
    replaced: Option<&Fetched>,
) -> Result<Fetched, Trouble> {
    let trouble = |error| Trouble::of(error, settings);
    let account = account(settings, client).await?;
    let order = match new_order(settings, &account, replaced).await {
        // The server has lost its accounts, or another server has the same address.
        Err(error) if is_of_nobody(&error) => {
            new_order(settings, &new_account(settings, client).await?, replaced).await
        }
        other => other,
    };
    let mut order = order.map_err(trouble)?;
    let challenged = challenges.begin();
    if let Err(trouble) = prove(settings, &mut order, &challenged).await {
        return Err(if trouble.refused {
            not_validated(settings, &mut order, trouble).await
        } else {
            trouble
        });
    }
    drop(challenged);

    let (key, request) = signing_request(settings).map_err(|error| {
        Trouble::new(true, format!("cannot request a certificate: {error}"), "correct `domains`")
    })?;
    order.finalize_csr(&request).await.map_err(trouble)?;
    let chain = order.poll_certificate(&POLLING).await.map_err(trouble)?;
    let kept = Folder(&settings.folder)
        .keep_certificate(&chain, &key.serialize_pem(), |fetched| judge(fetched, settings));
    kept.map_err(|error| Trouble::folder(&settings.folder, &error))?
}

/// Whether the certificate is usable. An unusable one would be requested again at once, without
/// end.
fn judge(fetched: Option<Fetched>, settings: &Settings) -> Result<Fetched, Trouble> {
    let no = |what, help| {
        Err(Trouble::new(true, format!("{} sent a certificate {what}", settings.directory), help))
    };
    match fetched {
        None => no("that cannot be used", "see its status page"),
        Some(fetched) if !fetched.covers(&settings.domains) => no("for other names", "see its status page"),
        Some(fetched) if fetched.not_after <= SystemTime::now() => {
            no("that has expired", "check this machine's clock")
        }
        Some(fetched) => Ok(fetched),
    }
}

async fn new_order(
    settings: &Settings,
    account: &Account,
    replaced: Option<&Fetched>,
) -> Result<Order, Error> {
    let identifiers: Vec<_> = settings.domains.iter().cloned().map(Identifier::Dns).collect();
    let replaced = replaced.and_then(Fetched::own).and_then(|own| CertificateIdentifier::try_from(own).ok());
    if let Some(replaced) = replaced {
        // Let's Encrypt exempts renewals from its limits if they name the certificate that they
        // replace. If a server does not accept that, the request is sent without it.
        match account.new_order(&NewOrder::new(&identifiers).replaces(replaced)).await {
            Err(error) if !is_fault(&error) && !is_of_kind(&error, "rateLimited") => {}
            other => return other,
        }
    }
    account.new_order(&NewOrder::new(&identifiers)).await
}

/// Prepares the response for each name that has to be validated, tells the server, and waits until
/// all names are validated.
async fn prove(settings: &Settings, order: &mut Order, challenged: &Guard<'_>) -> Result<(), Trouble> {
    let trouble = |error| Trouble::of(error, settings);
    let (wanted, name_of_it) = match settings.challenge {
        Challenge::TlsAlpn01 => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
        Challenge::Http01 => (ChallengeType::Http01, "http-01"),
    };
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(trouble)?;
        if authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        let name = authorization.identifier().to_string();
        let Some(mut challenge) = authorization.challenge(wanted.clone()) else {
            let what = format!("{} does not offer {name_of_it} for {name}", settings.directory);
            return Err(Trouble::new(true, what, "choose another `challenge`"));
        };
        let key = challenge.key_authorization();
        match settings.challenge {
            Challenge::TlsAlpn01 => {
                challenged.by_handshake(&name, key.digest().as_ref()).map_err(|error| {
                    Trouble::new(
                        true,
                        format!("cannot prepare the challenge for {name}: {error}"),
                        "correct `domains`",
                    )
                })?;
            }
            Challenge::Http01 => challenged.by_request(&challenge.token, key.as_str()),
        }
        challenge.set_ready().await.map_err(trouble)?;
    }
    match order.poll_ready(&POLLING).await.map_err(trouble)? {
        OrderStatus::Ready => Ok(()),
        _ => Err(Trouble::new(true, format!("{} gave up", settings.directory), "see its status page")),
    }
}

/// The names that failed, with the server's reason for each; if it gives none, the known trouble.
async fn not_validated(settings: &Settings, order: &mut Order, known: Trouble) -> Trouble {
    let mut failed = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        // If it fails, the known trouble is reported.
        let _ = authorization.refresh().await;
        let name = authorization.identifier().to_string();
        let problem = authorization.challenges.iter().find_map(|challenge| challenge.error.clone());
        failed.extend(problem.map(|problem| (name, problem)));
    }
    if failed.is_empty() { known } else { Trouble::not_validated(&failed, settings) }
}

/// A new key for each certificate, so that a leaked old key is useless.
fn signing_request(settings: &Settings) -> Result<(KeyPair, Vec<u8>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(settings.domains.clone())?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key)?;
    Ok((key, request.der().to_vec()))
}

fn is_of_nobody(error: &Error) -> bool {
    is_of_kind(error, "accountDoesNotExist")
}

/// Whether the server could not be reached.
fn is_fault(error: &Error) -> bool {
    matches!(error, Error::Other(error) if error.is::<Fault>())
}

fn is_of_kind(error: &Error, kind: &str) -> bool {
    matches!(error, Error::Api(problem) if problem.r#type.as_deref().is_some_and(|known| known.ends_with(kind)))
}
