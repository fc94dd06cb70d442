use serde_json::json;

use super::{
    super::tests::{Row, contract},
    *,
};

/// `role evidence place…` of each role of an operation.
fn line(found: &[SessionRoute], Row(method, path, ..): &Row) -> String {
    let of_it = |one: &&SessionRoute| one.path == *path && one.methods.iter().any(|name| name == method);
    let lines: Vec<_> = found
        .iter()
        .filter(of_it)
        .map(|one| {
            let evidence = if one.evidence == Evidence::Known { "known" } else { "word" };
            let places: Vec<_> = one.places.iter().map(|place| format!(" {place}")).collect();
            let if_present = if one.only_if_present { "?" } else { "" };
            format!("{} {evidence}{}{if_present}", one.role.name(), places.concat())
        })
        .collect();
    if lines.is_empty() { "-".to_owned() } else { lines.join(" + ") }
}

/// Each app by itself: a login says what stands beside it.
fn check(rows: Vec<(Row, &str)>) {
    let (rows, expected): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let found = session_routes(&contract(&rows));
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!(line(&found, row), expected, "{} {}", row.0, row.1);
    }
}

/// Operations that have nothing to do with each other.
fn check_alone(rows: Vec<(Row, &str)>) {
    for row in rows {
        check(vec![row]);
    }
}

#[test]
fn the_tutorials_app() {
    check(vec![
        (
            Row(
                "POST",
                "/token",
                "login_token_post",
                json!(["password-grant:grant_type?", "username", "password"]),
                "",
            ),
            "-",
        ),
        (Row("GET", "/users/me/", "read_users_me_users_me__get", json!([]), "bearer"), "me known"),
        (Row("GET", "/users/me/items/", "read_own_items_users_me_items__get", json!([]), "bearer"), "-"),
    ]);
}

#[test]
fn the_full_stack_template() {
    check(vec![
        (
            Row(
                "POST",
                "/api/v1/login/access-token",
                "login-login_access_token",
                json!(["username", "password"]),
                "",
            ),
            "-",
        ),
        (Row("POST", "/api/v1/login/test-token", "login-test_token", json!([]), "bearer"), "-"),
        (
            Row(
                "POST",
                "/api/v1/password-recovery/{email}",
                "login-recover_password",
                json!(["path:email"]),
                "",
            ),
            "-",
        ),
        (
            Row(
                "POST",
                "/api/v1/reset-password/",
                "login-reset_password",
                json!(["token", "new_password"]),
                "",
            ),
            "-",
        ),
        (Row("GET", "/api/v1/users/me", "users-read_user_me", json!([]), "bearer"), "me known"),
        (
            Row(
                "PATCH",
                "/api/v1/users/me",
                "users-update_user_me",
                json!(["email?", "full_name?"]),
                "bearer",
            ),
            "-",
        ),
        (Row("DELETE", "/api/v1/users/me", "users-delete_user_me", json!([]), "bearer"), "-"),
        (
            Row(
                "PATCH",
                "/api/v1/users/me/password",
                "users-update_password_me",
                json!(["current_password", "new_password"]),
                "bearer",
            ),
            "change-password known new_password",
        ),
        (
            Row("GET", "/api/v1/users/{user_id}", "users-read_user_by_id", json!(["path:user_id"]), "bearer"),
            "-",
        ),
        (
            Row(
                "PATCH",
                "/api/v1/users/{user_id}",
                "users-update_user",
                json!(["path:user_id", "password?"]),
                "bearer",
            ),
            "-",
        ),
        (Row("POST", "/api/v1/users/signup", "users-register_user", json!(["email", "password"]), ""), "-"),
        (Row("POST", "/api/v1/users/", "users-create_user", json!(["email", "password"]), "bearer"), "-"),
    ]);
}

#[test]
fn fastapi_users() {
    check(vec![
        (
            Row(
                "POST",
                "/auth/jwt/login",
                "auth_jwt_login_auth_jwt_login_post",
                json!(["username", "password"]),
                "",
            ),
            "-",
        ),
        (
            Row("POST", "/auth/jwt/logout", "auth_jwt_logout_auth_jwt_logout_post", json!([]), "bearer"),
            "logout known",
        ),
        (
            Row(
                "POST",
                "/auth/cookie/logout",
                "auth_cookie_logout_auth_cookie_logout_post",
                json!([]),
                "cookie:fastapiusersauth",
            ),
            "logout known",
        ),
        (
            Row(
                "POST",
                "/auth/forgot-password",
                "reset_forgot_password_auth_forgot_password_post",
                json!(["email"]),
                "",
            ),
            "-",
        ),
        (
            Row(
                "POST",
                "/auth/reset-password",
                "reset_reset_password_auth_reset_password_post",
                json!(["token", "password"]),
                "",
            ),
            "-",
        ),
        (Row("GET", "/users/me", "users_current_user_users_me_get", json!([]), "bearer"), "me known"),
        (
            Row(
                "PATCH",
                "/users/me",
                "users_patch_current_user_users_me_patch",
                json!(["email?", "password?"]),
                "bearer",
            ),
            "change-password known password?",
        ),
        (
            Row(
                "PATCH",
                "/users/{id}",
                "users_patch_user_users__id__patch",
                json!(["path:id", "email?", "password?"]),
                "bearer",
            ),
            "-",
        ),
        (Row("GET", "/users/{id}", "users_user_users__id__get", json!(["path:id"]), "bearer"), "-"),
    ]);
}

#[test]
fn a_session_ends_where_a_word_and_a_credential_agree() {
    check_alone(vec![
        (Row("POST", "/logout", "logout_logout_post", json!([]), "bearer"), "logout known"),
        (Row("GET", "/auth/sign-out", "a", json!([]), "cookie:session"), "logout known"),
        (Row("POST", "/auth/logOut", "a", json!(["cookie:access_token?"]), ""), "logout known"),
        (Row("DELETE", "/logout", "a", json!([]), "header:Authorization"), "logout known"),
        (Row("POST", "/auth/logout", "a", json!(["refresh_token"]), ""), "logout known refresh_token"),
        (
            Row("POST", "/auth/logout", "a", json!(["query:token", "query:refresh_token?"]), "bearer"),
            "logout known query:refresh_token",
        ),
        (
            Row("POST", "/auth/logout", "a", json!(["cookie:refresh_token?"]), ""),
            "logout known cookie:refresh_token",
        ),
        (Row("POST", "/logout", "a", json!(["device_id", "flag:everywhere"]), "bearer"), "logout known"),
        (Row("POST", "/auth/end", "logout_auth_end_post", json!([]), "bearer"), "logout word"),
        (Row("GET", "/end_session", "a", json!(["query:id_token_hint?"]), "bearer"), "logout known"),
        (Row("POST", "/auth/logout/all", "a", json!([]), "bearer"), "logout known + logout-elsewhere known"),
        (
            Row("POST", "/logout-all-devices", "a", json!([]), "bearer"),
            "logout known + logout-elsewhere known",
        ),
        (
            Row("POST", "/users/me/logoutEverywhere", "a", json!([]), "bearer"),
            "logout known + logout-elsewhere known",
        ),
        (Row("POST", "/auth/logout-others", "a", json!([]), "bearer"), "logout-elsewhere known"),
        // RFC 7009.
        (Row("POST", "/oauth/revoke", "a", json!(["token", "token_type_hint?"]), ""), "logout known token"),
        (Row("POST", "/auth/revoke", "revoke_token_auth_revoke_post", json!([]), "bearer"), "logout known"),
        (Row("DELETE", "/access-revoke", "a", json!([]), "bearer"), "logout word"),
        (Row("POST", "/auth/sessions/revoke-all", "a", json!([]), "bearer"), "logout-elsewhere known"),
        (Row("DELETE", "/auth/session", "a", json!([]), "bearer"), "logout known"),
        (Row("DELETE", "/auth/sessions/current", "a", json!([]), "bearer"), "logout known"),
        (Row("DELETE", "/auth/token", "a", json!(["refresh_token"]), ""), "logout known refresh_token"),
        (Row("DELETE", "/session", "logout_session_delete", json!([]), "cookie:sid"), "logout known"),
        (
            Row("DELETE", "/auth/sessions", "a", json!(["flag:except_current"]), "bearer"),
            "logout-elsewhere known",
        ),
        (Row("DELETE", "/users/me/sessions", "a", json!([]), "bearer"), "logout-elsewhere known"),
        (
            Row("DELETE", "/sessions", "revoke_all_sessions_sessions_delete", json!([]), "bearer"),
            "logout-elsewhere known",
        ),
    ]);
}

#[test]
fn a_word_alone_ends_no_session() {
    check_alone(vec![
        (Row("POST", "/logout", "a", json!([]), ""), "logout word"),
        (Row("POST", "/whatsapp/logout", "a", json!([]), "bearer"), "logout word"),
        (Row("POST", "/logout", "a", json!(["username"]), ""), "logout word"),
        (Row("POST", "/logout", "a", json!(["session_id"]), "bearer"), "logout word"),
        // A key is not a session.
        (Row("POST", "/logout", "a", json!([]), "header:X-API-Key"), "logout word"),
        (Row("POST", "/backchannel-logout", "a", json!(["logout_token"]), ""), "logout word"),
        (Row("POST", "/games/logout-player", "a", json!(["player"]), "bearer"), "-"),
        (Row("GET", "/logout/success", "a", json!([]), "bearer"), "-"),
        (Row("POST", "/users/{user_id}/logout", "a", json!(["path:user_id"]), "bearer"), "-"),
        (Row("POST", "/devices/revoke", "a", json!([]), "bearer"), "logout word"),
        (Row("POST", "/devices/revoke", "a", json!(["device_id"]), "bearer"), "logout word"),
        (Row("POST", "/revoke-device", "a", json!(["name"]), "bearer"), "logout word"),
        (
            Row("POST", "/google/revoke", "revoke_access_google_revoke_post", json!([]), "bearer"),
            "logout word",
        ),
        (Row("POST", "/oauth/revoke", "revoke_access_oauth_revoke_post", json!([]), "bearer"), "logout word"),
        (Row("POST", "/invitations/revoke", "a", json!(["token"]), "bearer"), "logout word token"),
        (Row("POST", "/auth/revoke", "a", json!(["jti", "token"]), "bearer"), "-"),
        (Row("POST", "/keys", "revoke_api_key_keys_post", json!([]), "bearer"), "-"),
        (Row("DELETE", "/auth/sessions/{session_id}", "a", json!(["path:session_id"]), "bearer"), "-"),
        (Row("DELETE", "/session", "a", json!(["query:session_id"]), "bearer"), "-"),
        (Row("DELETE", "/sessions", "a", json!(["query:user_id"]), "bearer"), "-"),
        // Of a chat.
        (Row("DELETE", "/session", "a", json!([]), ""), "-"),
        (Row("DELETE", "/session", "a", json!([]), "bearer"), "logout word"),
        (Row("DELETE", "/sessions", "a", json!([]), "bearer"), "logout-elsewhere word"),
        (Row("DELETE", "/chat/sessions", "a", json!([]), "bearer"), "logout-elsewhere word"),
        (Row("DELETE", "/auth/tokens", "a", json!([]), "bearer"), "logout-elsewhere word"),
        (Row("DELETE", "/users/me/token", "a", json!([]), "bearer"), "logout word"),
    ]);
}

/// Beside the app's own login, cookies need not be declared. Segments that both share show nothing.
#[test]
fn a_login_shows_what_stands_beside_it() {
    let login = |path| (Row("POST", path, "login", json!(["username", "password"]), ""), "-");
    check(vec![
        login("/shop/v1/auth/login"),
        (Row("POST", "/shop/v1/auth/logout", "a", json!([]), ""), "logout known"),
        (Row("GET", "/shop/v1/auth/refresh", "a", json!([]), ""), "refresh known"),
        (Row("DELETE", "/shop/v1/session", "b", json!([]), "bearer"), "logout word"),
        (Row("POST", "/shop/v1/logout", "a", json!([]), "bearer"), "logout known"),
        (Row("GET", "/shop/v1/me", "a", json!([]), "bearer"), "me known"),
        (Row("POST", "/shop/v1/cache/refresh", "a", json!([]), "bearer"), "refresh word"),
        (Row("GET", "/shop/v1/auth/me", "a", json!([]), ""), "me word"),
    ]);
    check(vec![
        login("/api/login/access-token"),
        (Row("GET", "/api/logout", "a", json!([]), ""), "logout known"),
        (Row("GET", "/api/chat/logout", "a", json!([]), ""), "logout word"),
    ]);
    check(vec![
        login("/sessions"),
        (Row("DELETE", "/sessions", "a", json!([]), ""), "logout known + logout-elsewhere word"),
    ]);
    check(vec![
        login("/{tenant}/login"),
        (Row("POST", "/{tenant}/logout", "a", json!(["path:tenant"]), "bearer"), "logout known"),
        (Row("POST", "/{tenant}/refresh", "a", json!(["path:tenant"]), "bearer"), "refresh known"),
        (Row("GET", "/{tenant}/me", "a", json!(["path:tenant"]), "bearer"), "-"),
    ]);
    check(vec![
        login("/users/{user_id}/login"),
        (Row("POST", "/users/{user_id}/logout", "a", json!(["path:user_id"]), "bearer"), "-"),
    ]);
    // A login to something else asks for the caller first.
    check(vec![
        (Row("POST", "/whatsapp/login", "a", json!(["phone"]), "bearer"), "-"),
        (Row("POST", "/whatsapp/logout", "b", json!([]), "bearer"), "logout word"),
    ]);
    // A page that asks whether to log out.
    check(vec![
        login("/login"),
        (Row("GET", "/logout", "a", json!([]), ""), "logout word"),
        (Row("POST", "/logout", "b", json!([]), ""), "logout known"),
    ]);
}

#[test]
fn a_refresh_has_a_token() {
    check_alone(vec![
        (Row("POST", "/refresh", "refresh_refresh_post", json!([]), "bearer"), "refresh known"),
        (
            Row("POST", "/auth/refresh", "refresh_token_auth_refresh_post", json!([{"shape": 18}]), "bearer"),
            "refresh known",
        ),
        (
            Row("GET", "/api/auth/refresh", "a", json!([]), "cookie:refresh_token"),
            "refresh known cookie:refresh_token",
        ),
        (Row("POST", "/auth/refresh", "a", json!(["refresh_token"]), ""), "refresh known refresh_token"),
        (Row("POST", "/auth/jwt/refresh/", "a", json!(["refresh"]), ""), "refresh known refresh"),
        (
            Row("POST", "/token/refresh", "a", json!(["query:refreshToken"]), ""),
            "refresh known query:refreshToken",
        ),
        (
            Row("POST", "/auth/refresh-token", "a", json!(["refresh_token?", "cookie:refresh_token?"]), ""),
            "refresh known refresh_token cookie:refresh_token",
        ),
        (
            Row("POST", "/auth/renewToken", "a", json!(["header:x-refresh-token"]), ""),
            "refresh known header:x-refresh-token",
        ),
        (
            Row("GET", "/refresh/{refresh_token}", "a", json!(["path:refresh_token"]), ""),
            "refresh known path:refresh_token",
        ),
        (Row("POST", "/refresh_token", "a", json!(["token"]), ""), "refresh known token"),
        (
            Row(
                "POST",
                "/auth/session",
                "refresh_access_token_auth_session_post",
                json!(["refresh_token"]),
                "",
            ),
            "refresh known refresh_token",
        ),
        (Row("POST", "/auth/token", "a", json!(["refresh_token"]), ""), "refresh known refresh_token"),
        // RFC 6749: one endpoint for both.
        (
            Row(
                "POST",
                "/token",
                "a",
                json!(["grant:grant_type", "username?", "password?", "refresh_token?"]),
                "",
            ),
            "refresh known refresh_token?",
        ),
        (Row("POST", "/oauth2", "a", json!([{"shape": 11}]), ""), "refresh known refresh_token?"),
        (
            Row(
                "POST",
                "/token",
                "a",
                json!(["password-grant:grant_type", "username", "password", "refresh_token?"]),
                "",
            ),
            "-",
        ),
        // Words.
        (Row("POST", "/refresh", "a", json!([]), ""), "refresh word"),
        (Row("POST", "/cache/refresh", "a", json!([]), ""), "refresh word"),
        (Row("POST", "/feeds/refresh", "a", json!([]), "bearer"), "refresh word"),
        (Row("POST", "/refresh", "refresh_items_refresh_post", json!([]), "bearer"), "refresh word"),
        (Row("POST", "/refresh", "a", json!(["source"]), "bearer"), "refresh word"),
        (Row("POST", "/refresh-data", "a", json!([]), "bearer"), "-"),
        (Row("POST", "/feeds/{feed_id}/refresh", "a", json!(["path:feed_id"]), "bearer"), "-"),
        (Row("GET", "/dashboard", "refresh_dashboard_get", json!([]), "bearer"), "-"),
        (Row("POST", "/auth/refresh/verify", "a", json!(["refresh_token"]), ""), "-"),
        (Row("POST", "/google/connect", "a", json!(["access_token", "refresh_token"]), "bearer"), "-"),
        (Row("DELETE", "/auth/refresh", "a", json!([]), "bearer"), "-"),
    ]);
}

#[test]
fn a_new_password_is_the_callers() {
    check_alone(vec![
        (
            Row("POST", "/auth/change-password", "a", json!(["old_password", "new_password"]), ""),
            "change-password known new_password",
        ),
        (
            Row("PUT", "/a", "a", json!(["currentPassword", "newPassword", "confirmPassword"]), ""),
            "change-password known newPassword",
        ),
        (
            Row("PUT", "/b", "a", json!(["current_password", "password"]), "bearer"),
            "change-password known password",
        ),
        (
            Row(
                "PUT",
                "/users/{user_id}/password",
                "a",
                json!(["path:user_id", "old_password", "new_password"]),
                "bearer",
            ),
            "change-password known new_password",
        ),
        (
            Row("POST", "/change-password", "a", json!(["query:new_password"]), "bearer"),
            "change-password known query:new_password",
        ),
        (
            Row("POST", "/users/me/password", "a", json!(["password", "password_confirm"]), "bearer"),
            "change-password known password",
        ),
        (
            Row("PATCH", "/auth/password", "a", json!(["password"]), "bearer"),
            "change-password known password",
        ),
        (
            Row("POST", "/a", "update_my_password_a_post", json!(["password"]), "bearer"),
            "change-password known password",
        ),
        (
            Row("PUT", "/api/user", "a", json!([{"shape": 16}]), "header:Authorization"),
            "change-password known user.password?",
        ),
        (
            Row("PUT", "/account", "a", json!(["username", "password"]), "bearer"),
            "change-password known password",
        ),
        (Row("POST", "/me", "a", json!(["password?"]), "bearer"), "change-password known password?"),
        (
            Row("POST", "/auths/update/password", "a", json!(["password", "new_password"]), "bearer"),
            "change-password known new_password",
        ),
        // Not known.
        (Row("PUT", "/me/password", "a", json!([{"shape": 18}]), "bearer"), "change-password word"),
        (Row("PUT", "/me/password", "a", json!(["new_password"]), ""), "change-password word new_password"),
        (
            Row("POST", "/account", "a", json!(["email", "password"]), "bearer"),
            "change-password word password",
        ),
        (
            Row("POST", "/change-password", "a", json!(["email", "new_password"]), "bearer"),
            "change-password word new_password",
        ),
        (
            Row("PUT", "/settings", "a", json!(["theme", "new_password?"]), "bearer"),
            "change-password word new_password?",
        ),
        // Another account, another password, or one that was forgotten.
        (Row("PATCH", "/users/{id}", "a", json!(["path:id", "password?"]), "bearer"), "-"),
        (Row("PUT", "/users/{id}/password", "a", json!(["path:id", "new_password"]), "bearer"), "-"),
        (Row("POST", "/admin/change-password", "a", json!(["user_id", "new_password"]), "bearer"), "-"),
        (Row("POST", "/reset-password", "a", json!(["token", "new_password"]), ""), "-"),
        (Row("POST", "/reset-password", "a", json!(["new_password"]), "bearer"), "-"),
        (Row("POST", "/user", "a", json!(["email", "password"]), ""), "-"),
        (Row("POST", "/confirm-password", "a", json!(["password"]), "bearer"), "-"),
        (Row("POST", "/users/me/password/verify", "a", json!(["password"]), "bearer"), "-"),
        (Row("POST", "/passwords/generate", "a", json!(["length"]), "bearer"), "-"),
        (Row("PATCH", "/users/me", "a", json!(["smtp_password?"]), "bearer"), "-"),
        (Row("PATCH", "/users/me", "a", json!(["bool:password"]), "bearer"), "-"),
        (Row("PATCH", "/users/me", "a", json!([{"shape": 19}]), "bearer"), "-"),
        (Row("GET", "/change-password", "a", json!([]), "bearer"), "-"),
        (Row("DELETE", "/users/me", "a", json!(["password"]), "bearer"), "-"),
    ]);
}

#[test]
fn a_caller_asks_who_it_is() {
    check_alone(vec![
        (Row("GET", "/me", "a", json!([]), "bearer"), "me known"),
        (Row("GET", "/api/v1/auth/me/", "a", json!([]), "cookie:session"), "me known"),
        (Row("GET", "/whoami", "a", json!([]), "bearer"), "me known"),
        (Row("GET", "/who-am-i", "a", json!(["cookie:access_token?"]), ""), "me known"),
        (Row("GET", "/users/current_user", "a", json!([]), "bearer"), "me known"),
        (Row("GET", "/users/me/profile", "a", json!([]), "bearer"), "me known"),
        (Row("GET", "/oauth/userinfo", "a", json!([]), "bearer"), "me known"),
        (Row("GET", "/api/user", "a", json!([]), "header:Authorization"), "me known"),
        (Row("GET", "/account", "a", json!([]), "bearer"), "me known"),
        (Row("GET", "/me", "a", json!([]), ""), "me word"),
        (Row("GET", "/company/profile", "a", json!([]), "bearer"), "me word"),
        (Row("GET", "/profile", "a", json!(["query:user_id"]), "bearer"), "-"),
        (Row("GET", "/users/{id}", "a", json!(["path:id"]), "bearer"), "-"),
        (Row("GET", "/users/{id}/profile", "a", json!(["path:id"]), "bearer"), "-"),
        (Row("POST", "/playlists/{id}/profile", "a", json!(["path:id"]), "bearer"), "-"),
        (Row("GET", "/users", "a", json!([]), "bearer"), "-"),
        (Row("POST", "/me", "a", json!([]), "bearer"), "-"),
    ]);
    let rows = ["/account", "/users/me/profile", "/api/users/me", "/auth/me", "/company/profile", "/me"];
    let rows = rows.map(|path| Row("GET", path, "a", json!([]), "bearer"));
    let found = session_routes(&contract(&rows));
    let order: Vec<_> = found.iter().map(|route| route.path.as_str()).collect();
    assert_eq!(
        order,
        ["/me", "/auth/me", "/api/users/me", "/users/me/profile", "/account", "/company/profile"]
    );
}

#[test]
fn it_says_what_shows_it() {
    let rows = [
        Row("POST", "/auth/login", "a", json!(["username", "password"]), ""),
        Row("POST", "/auth/logout", "b", json!([]), ""),
        Row("POST", "/auth/refresh", "c", json!(["refresh_token"]), ""),
        Row("PATCH", "/users/me", "d", json!(["password?"]), "bearer"),
        Row("GET", "/users/me", "e", json!([]), "bearer"),
    ];
    let found = session_routes(&contract(&rows));
    let whys: Vec<_> = found.iter().map(|route| route.why.as_str()).collect();
    assert_eq!(
        whys,
        [
            "the word `logout` is in its path; the login `/auth/login` is beside it",
            "the word `refresh` is in its path; it takes `refresh_token`",
            "its path ends in `me`; it takes `password`; it asks for `OAuth2PasswordBearer`",
            "its path ends in `me`; it asks for `OAuth2PasswordBearer`",
        ]
    );
}

#[test]
fn mounted_apps_have_sessions_too() {
    let rows = [
        Row("POST", "/auth/login", "login_auth_login_post", json!(["username", "password"]), ""),
        Row("POST", "/auth/refresh", "refresh_auth_refresh_post", json!([]), ""),
    ];
    let mut contract = contract(&rows);
    let router = contract.router.clone();
    let host = Route::Host { host: "a.example".into(), router: Some(router.clone()) };
    contract.router.routes = vec![Route::Mount { path: "/shop".into(), router: Some(router) }, host];
    let found = session_routes(&contract);
    let found: Vec<_> = found.iter().map(|one| (&*one.path, one.host.as_deref(), one.evidence)).collect();
    let known = Evidence::Known;
    assert_eq!(found, [("/shop/auth/refresh", None, known), ("/auth/refresh", Some("a.example"), known)]);
}
