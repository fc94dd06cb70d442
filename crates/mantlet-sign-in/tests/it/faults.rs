//! A database that is away is our fault, and is told as that.

use mantlet_accounts::Fault;
use serde_json::json;

use crate::{
    home::{PASSWORD, now, on_both},
    kit::{Client, with_ada},
};

#[test]
fn a_database_that_is_away_is_answered_with_503() {
    on_both(async |home| {
        let site = with_ada(&home).await;
        let mut ada = Client::browser(&site).await;
        let cookie = ada.cookie.take().unwrap();
        site.accounts().close_store().await;
        let credentials = json!({"email": "ada@example.com", "password": PASSWORD});
        let link = json!({"token": "x", "password": PASSWORD});
        for (path, body) in [
            ("/auth/api/login", &credentials),
            ("/auth/api/register", &credentials),
            ("/auth/api/reset-request", &credentials),
            ("/auth/api/verify", &link),
            ("/auth/api/reset", &link),
        ] {
            let seen = ada.post(path, body).await;
            assert_eq!((seen.status, seen.header("retry-after")), (503, "5"), "{path}");
            assert_eq!(
                seen.text("detail"),
                "Accounts cannot be reached at the moment, so nothing was changed or checked. Try again in a few seconds."
            );
            assert_eq!(seen.event, None, "{path}");
            let said = seen.fault.unwrap().0;
            assert!(said.starts_with("the accounts database does not answer as it must"), "{said}");
        }
        let fields = [("username", "ada@example.com"), ("password", PASSWORD)];
        assert_eq!(ada.form("/auth/token", &fields).await.status, 503);
        assert_eq!(ada.get("/.well-known/jwks.json").await.status, 503);
        // A credential that cannot be judged is not a wrong one.
        let caller = site.caller_of_cookie(now(), &cookie).await;
        assert!(matches!(caller, Err(Fault::Storage(_))), "{caller:?}");
    });
}
