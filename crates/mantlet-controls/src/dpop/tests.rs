use std::sync::{Arc, Mutex};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use futures_util::{FutureExt, future::BoxFuture};
use http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{url::Asked, *};
use crate::{
    Arrival, Config as WholeConfig, Context, Peer, Policy as WholePolicy, Scheme, Section, WireVerdict,
    call::{Attribute, Origin, Place as PlaceInApp},
    config::Posture,
    operation::{Contract, ContractHandle},
    pipeline::open,
    token::Key,
};

/// RFC 9449 section 7.1.
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const PROOF: &str = concat!(
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0Vj",
    "NoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5",
    "VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUI",
    "iwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI",
    "2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqz",
    "hrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
);
/// RFC 9449 section 6.1.
const THUMBPRINT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
const MADE: i64 = 1_562_262_618;

fn about<'c>(token: &'c str, thumbprint: &'c str, now: i64) -> About<'c> {
    let url = Asked {
        scheme: Scheme::Https,
        host: "resource.example.org",
        path: "/protectedresource",
        others: Vec::new(),
    };
    let now = jiff::Timestamp::from_second(now).unwrap();
    About { method: &Method::GET, url, token, thumbprint, nonces: None, now }
}

#[test]
fn the_example_of_the_rfc_is_good_for_its_request_alone() {
    let at = |seconds| about(TOKEN, THUMBPRINT, MADE + seconds);
    let about = || at(0);
    let of = |about: About<'_>| proof::verify(PROOF, &about).err();
    let id = proof::verify(PROOF, &about()).unwrap();
    assert_eq!(id, seen::id_of(THUMBPRINT, "e1j3V_bKic8-LAEB"));
    assert_eq!([0, 60, -60].map(|seconds| of(at(seconds))), [None, None, None]);
    for seconds in [61, -61] {
        assert!(matches!(of(at(seconds)), Some(Fault::Bad(_))), "{seconds}");
    }
    assert_eq!(of(About { thumbprint: "another", ..about() }), Some(Fault::OtherKey));
    assert_eq!(
        of(About { method: &Method::POST, ..about() }),
        Some(Fault::Bad("its `htm` is not the method of the request"))
    );
    let ath = Some(Fault::Bad("its `ath` is not that of the token"));
    assert_eq!(of(About { token: "another", ..about() }), ath);
    let other = Asked { path: "/other", ..about().url };
    assert!(matches!(of(About { url: other, ..about() }), Some(Fault::Url(_))));
    // One bit of its signature.
    let forged = PROOF.replace("pLjA", "pLjB").replace("2oW9", "2oW8");
    assert!(matches!(proof::verify(&forged, &about()), Err(Fault::Bad(_))));
}

/// The key of RFC 7515 appendix A.3.
const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

fn jwk() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y})
}

fn thumbprint() -> String {
    Key::of_proof(&jwk()).unwrap().1
}

fn signed(header: &Value, claims: &Value) -> String {
    // RFC 5958: a key of P-256, its number, and its public point.
    const BEFORE: [u8; 36] = [
        0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
        0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01,
        0x04, 0x20,
    ];
    let part = |text: &str| BASE64.decode(text).unwrap();
    let key = [&BEFORE[..], &part(D), &[0xa1, 0x44, 0x03, 0x42, 0x00, 0x04], &part(X), &part(Y)].concat();
    let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    let key = EncodingKey::from_ec_der(&key);
    let signature = crypto::sign(text.as_bytes(), &key, Algorithm::ES256).unwrap();
    format!("{text}.{signature}")
}

fn header() -> Value {
    json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk()})
}

fn claims(now: i64) -> Value {
    json!({
        "jti": "one",
        "htm": "GET",
        "htu": "https://resource.example.org/protectedresource",
        "iat": now,
        "ath": BASE64.encode(Sha256::digest(TOKEN)),
    })
}

/// The same with other members; null takes one out.
fn with(mut all: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            all.as_object_mut().unwrap().remove(name);
        } else {
            all[name] = value.clone();
        }
    }
    all
}

#[test]
fn a_proof_that_says_less_or_another_thing_is_bad() {
    let thumbprint = thumbprint();
    let verify = |of_header: Value, of_claims: Value| {
        let proof = signed(&with(header(), &of_header), &with(claims(MADE), &of_claims));
        proof::verify(&proof, &about(TOKEN, &thumbprint, MADE))
    };
    let private = with(jwk(), &json!({"d": D}));
    for (of_header, of_claims, is_good) in [
        (json!({}), json!({}), true),
        (json!({"typ": "application/DPoP+jwt"}), json!({}), true),
        (json!({"kid": "one"}), json!({"nonce": "of the app", "exp": MADE - 100}), true),
        (json!({"jwk": with(jwk(), &json!({"use": "sig", "alg": "ES256", "kid": "a"}))}), json!({}), true),
        (json!({}), json!({"iat": 1_562_262_558.5}), true),
        (json!({"typ": null}), json!({}), false),
        (json!({"typ": "JWT"}), json!({}), false),
        (json!({"typ": "at+jwt"}), json!({}), false),
        (json!({"alg": "HS256"}), json!({}), false),
        (json!({"alg": "none"}), json!({}), false),
        (json!({"alg": "ES384"}), json!({}), false),
        (json!({"alg": "RS256"}), json!({}), false),
        (json!({"jwk": null}), json!({}), false),
        (json!({"jwk": private}), json!({}), false),
        (json!({"jwk": {"kty": "oct", "k": "AAAA"}}), json!({}), false),
        (json!({"jwk": THUMBPRINT}), json!({}), false),
        (json!({"crit": ["b64"], "b64": false}), json!({}), false),
        (json!({}), json!({"jti": null}), false),
        (json!({}), json!({"jti": ""}), false),
        (json!({}), json!({"jti": "a".repeat(513)}), false),
        (json!({}), json!({"jti": 1}), false),
        (json!({}), json!({"htm": null}), false),
        (json!({}), json!({"htm": "get"}), false),
        (json!({}), json!({"htu": null}), false),
        (json!({}), json!({"htu": "/protectedresource"}), false),
        (json!({}), json!({"iat": null}), false),
        (json!({}), json!({"iat": MADE.to_string()}), false),
        (json!({}), json!({"iat": MADE - 61}), false),
        (json!({}), json!({"iat": MADE + 61}), false),
        (json!({}), json!({"ath": null}), false),
        (json!({}), json!({"ath": TOKEN}), false),
    ] {
        let what = format!("{of_header} {of_claims}");
        assert_eq!(verify(of_header, of_claims).is_ok(), is_good, "{what}");
    }
    let other = json!({"jwk": with(jwk(), &json!({"x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}))});
    assert_eq!(verify(other, json!({})), Err(Fault::OtherKey));
}

/// The names of the proof's key are the same, however it is written.
#[test]
fn thumbprints_are_those_of_rfc_7638() {
    let n = concat!(
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJEC",
        "PebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Qvz",
        "qY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZ",
        "u0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    );
    let key = json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
    assert_eq!(Key::of_proof(&key).unwrap().1, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

/// An app with operations that ask for a bearer token, and one that does not.
fn app(names_dpop: bool) -> Contract {
    let bearer =
        |auto_error: bool| json!([[{"name": "s", "scheme": {"kind": "bearer"}, "auto-error": auto_error}]]);
    let routes: Vec<_> = [("/me", bearer(true)), ("/maybe", bearer(false)), ("/open", json!([]))]
        .map(|(path, security)| {
            let operation = json!({"id": path, "body": {"kind": "none"}, "inputs": [], "security": security});
            json!({"kind": "http", "path": path, "methods": ["GET"], "hidden": false, "operation": operation})
        })
        .to_vec();
    let router = json!({"routes": routes, "redirect-slashes": true, "complete": true});
    let mut model = json!({"version": 1, "source": "inspector", "router": router, "shapes": []});
    if names_dpop {
        model["names-dpop"] = json!(true);
    }
    Contract::compile(&serde_json::from_value(model).unwrap()).0
}

struct Gate(WholePolicy);

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passes,
    /// It is good, and the app gets a bearer token.
    AsBearer,
    AsSent,
    Refused(Reason),
    Reported(Reason),
}
use Outcome::{AsBearer, AsSent, Passes, Refused, Reported};

/// A caller whose token is bound to this key.
fn caller(cnf: &Value, is_of_app: bool) -> Principal {
    let attributes = match cnf {
        Value::Null => Vec::new(),
        cnf => vec![Attribute { name: "cnf".into(), value: cnf.clone(), origin: Origin::Claim }],
    };
    let (issuer, subject) = ("https://id.example".into(), "ann".into());
    Principal { issuer, subject, is_of_app, attributes, expires: None }
}

impl Gate {
    fn new(dpop: Config, posture: Posture, names_dpop: bool) -> Self {
        let mut config = WholeConfig { dpop, ..WholeConfig::default() };
        config.contract.posture = posture;
        config.deployment.kept.get::<ContractHandle>().put(app(names_dpop));
        Self(config.check().unwrap())
    }

    fn ask(&self, path: &str, lines: &[(&str, &str)], caller: &Principal, place: Place) -> Outcome {
        let mut request = Request::get(path).header("host", "resource.example.org").body(()).unwrap();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        let arrival = Arrival {
            peer: Peer::Ip("203.0.113.1:4711".parse().unwrap()),
            scheme: Scheme::Https,
            wire: WireVerdict::Unread,
            certificate: None,
        };
        let policy = &self.0;
        let mut call = open(policy, &arrival, &request);
        let (place_in_app, rules) = (PlaceInApp::default(), &policy.routes.fallback().rules);
        call.operation = policy.contract.route(&Method::GET, false, None, (path, &place_in_app), rules).route;
        let judged = policy.dpop.judge(&call, (caller, place), Some("resource.example.org"), &request);
        let bad = |mode, refusal: Refusal| match mode {
            Mode::Enforce => {
                let challenge = refusal.headers.unwrap().get("www-authenticate").cloned();
                assert!(challenge.unwrap().to_str().unwrap().starts_with("DPoP error="));
                Refused(refusal.reason)
            }
            Mode::Report => Reported(refusal.reason),
            Mode::Off => Passes,
        };
        match judged {
            Judged::NotAsked => Passes,
            Judged::Bad(mode, refusal) => bad(mode, refusal),
            Judged::Good(proof) => match policy.dpop.see(&call, proof, None).now_or_never().unwrap() {
                Err((mode, refusal)) => bad(mode, refusal),
                Ok(()) if policy.dpop.makes_bearer(&call) => {
                    make_bearer(request.headers_mut());
                    assert_eq!(request.headers()["authorization"], format!("Bearer {TOKEN}"));
                    assert!(!request.headers().contains_key(DPOP));
                    AsBearer
                }
                Ok(()) => AsSent,
            },
        }
    }
}

/// A new proof for this path.
fn proof_for(path: &str, jti: &str) -> String {
    let htu = format!("https://resource.example.org{path}");
    let claims = with(claims(jiff::Timestamp::now().as_second()), &json!({"htu": htu, "jti": jti}));
    signed(&header(), &claims)
}

#[test]
fn a_bound_token_needs_its_scheme_and_its_proof() {
    let gate = Gate::new(Config::default(), Posture::Compatible, false);
    let strict = Gate::new(Config::default(), Posture::Strict, false);
    let bound = caller(&json!({"jkt": thumbprint()}), false);
    let (dpop, bearer) = (format!("DPoP {TOKEN}"), format!("Bearer {TOKEN}"));
    let (dpop, bearer) = (("authorization", &*dpop), ("authorization", &*bearer));
    let header = Place::Header;
    let good = proof_for("/me", "1");
    let good = ("dpop", &*good);
    assert_eq!(gate.ask("/me", &[dpop, good], &bound, header), AsBearer);
    assert_eq!(gate.ask("/me", &[dpop, good], &bound, header), Refused(Reason::DpopProofReplayed));
    assert_eq!(gate.ask("/me", &[bearer, good], &bound, header), Refused(Reason::DpopRequired));
    assert_eq!(gate.ask("/me", &[bearer], &bound, header), Refused(Reason::DpopRequired));
    assert_eq!(gate.ask("/me", &[dpop], &bound, header), Refused(Reason::DpopRequired));
    assert_eq!(gate.ask("/me", &[dpop, good, good], &bound, header), Refused(Reason::DpopProofInvalid));
    let latin = ("dpop", "é");
    assert_eq!(gate.ask("/me", &[dpop, latin], &bound, header), Refused(Reason::DpopProofInvalid));
    assert_eq!(gate.ask("/maybe", &[dpop, good], &bound, header), Refused(Reason::DpopProofInvalid));
    assert_eq!(gate.ask("/maybe", &[bearer], &bound, header), Refused(Reason::DpopRequired));
    // Whether an operation reads the token is not known there.
    assert_eq!(gate.ask("/open", &[bearer], &bound, header), Reported(Reason::DpopRequired));
    assert_eq!(strict.ask("/open", &[bearer], &bound, header), Refused(Reason::DpopRequired));
    let open = proof_for("/open", "1");
    assert_eq!(strict.ask("/open", &[dpop, ("dpop", &open)], &bound, header), AsSent);
    // A browser that opens a WebSocket cannot say more.
    assert_eq!(gate.ask("/me", &[], &bound, Place::Elsewhere), Reported(Reason::DpopRequired));
    assert_eq!(strict.ask("/me", &[], &bound, Place::Elsewhere), Refused(Reason::DpopRequired));
    // Bound in a way that no client can prove.
    let odd = caller(&json!({"jkt": 1}), false);
    let another = proof_for("/me", "2");
    let another = ("dpop", &*another);
    assert_eq!(gate.ask("/me", &[dpop, another], &odd, header), Refused(Reason::DpopKeyMismatch));
    // A token that is not bound is good without a proof, and not with one.
    for cnf in [Value::Null, json!({"x5t#S256": "abc"})] {
        let unbound = caller(&cnf, false);
        assert_eq!(gate.ask("/me", &[bearer], &unbound, header), Passes);
        assert_eq!(gate.ask("/me", &[bearer, ("dpop", "nonsense"), good], &unbound, header), Passes);
        assert_eq!(gate.ask("/me", &[dpop, another], &unbound, header), Refused(Reason::DpopKeyMismatch));
    }
}

#[test]
fn who_gets_a_bearer_token_and_what_is_only_recorded() {
    let bound = caller(&json!({"jkt": thumbprint()}), false);
    let dpop = format!("DPoP {TOKEN}");
    let ask = |gate: &Gate, caller: &Principal, jti: &str| {
        let proof = proof_for("/me", jti);
        gate.ask("/me", &[("authorization", &*dpop), ("dpop", &proof)], caller, Place::Header)
    };
    let with = |to_app| Config { to_app, ..Config::default() };
    for (to_app, names_dpop, expected) in [
        (ToApp::Auto, false, AsBearer),
        (ToApp::Auto, true, AsSent),
        (ToApp::Bearer, true, AsBearer),
        (ToApp::AsSent, false, AsSent),
    ] {
        let gate = Gate::new(with(to_app), Posture::Compatible, names_dpop);
        assert_eq!(ask(&gate, &bound, "1"), expected, "{to_app:?} {names_dpop}");
    }
    // The app's own tokens are its own business, and are protected if the operator says so.
    let of_app = caller(&json!({"jkt": THUMBPRINT}), true);
    for (dpop, posture, expected) in [
        (Config::default(), Posture::Compatible, Reported(Reason::DpopKeyMismatch)),
        (Config::default(), Posture::Strict, Refused(Reason::DpopKeyMismatch)),
        (
            Config { app_tokens: Some(Mode::Enforce), ..Config::default() },
            Posture::Compatible,
            Refused(Reason::DpopKeyMismatch),
        ),
        (Config { mode: Mode::Off, ..Config::default() }, Posture::Strict, Passes),
    ] {
        assert_eq!(ask(&Gate::new(dpop, posture, false), &of_app, "1"), expected);
    }
    let report_only = Context { report_only: true, ..Context::default() };
    let policy = Config::default().check(&report_only).unwrap();
    assert_eq!(
        (policy.mode, policy.app_tokens, policy.elsewhere),
        (Mode::Report, Mode::Report, Mode::Report)
    );
}

#[test]
fn a_nonce_is_asked_for_if_the_operator_wants_it() {
    let material = Some(crate::config::Material(crate::config::Secret::new(vec![7; 32])));
    let gate =
        Gate::new(Config { nonce_material: material, ..Config::default() }, Posture::Compatible, false);
    let bound = caller(&json!({"jkt": thumbprint()}), false);
    let dpop = format!("DPoP {TOKEN}");
    let ask = |nonce: Value, jti: &str| {
        let now = jiff::Timestamp::now().as_second();
        let htu = "https://resource.example.org/me";
        let proof = signed(&header(), &with(claims(now), &json!({"htu": htu, "jti": jti, "nonce": nonce})));
        gate.ask("/me", &[("authorization", &*dpop), ("dpop", &proof)], &bound, Place::Header)
    };
    for nonce in [Value::Null, json!(""), json!(1), json!("of another server")] {
        assert_eq!(ask(nonce, "1"), Refused(Reason::DpopNonceRequired));
    }
    let new = gate.0.dpop.nonces.as_ref().unwrap().now(jiff::Timestamp::now());
    assert_eq!(ask(json!(new), "1"), AsBearer, "what was refused for its nonce is not used up");
    assert_eq!(ask(json!(new), "1"), Refused(Reason::DpopProofReplayed));
    let short = Some(crate::config::Material(crate::config::Secret::new(vec![7; 31])));
    let mistakes =
        Config { nonce_material: short, ..Config::default() }.check(&Context::default()).unwrap_err();
    assert_eq!(mistakes[0].key, "nonce-key");
}

/// A store of several gates.
#[derive(Debug, Default)]
struct Shared(Mutex<Vec<ProofId>>, bool);

impl SeenByAll for Shared {
    fn is_new(&self, proof: ProofId) -> BoxFuture<'_, Option<bool>> {
        let mut all = self.0.lock().unwrap();
        let is_new = !all.contains(&proof);
        all.push(proof);
        Box::pin(std::future::ready(self.1.then_some(is_new)))
    }
}

#[test]
fn several_gates_accept_a_proof_once_while_their_store_responds() {
    let treatment = Treatment { mode: Mode::Enforce, line: None };
    let see = |gate: &Gate, store: &Arc<dyn SeenByAll>| {
        let request = Request::get("/").body(()).unwrap();
        let arrival = Arrival {
            peer: Peer::Ip("203.0.113.1:4711".parse().unwrap()),
            scheme: Scheme::Https,
            wire: WireVerdict::Unread,
            certificate: None,
        };
        let call = open(&gate.0, &arrival, &request);
        let proof = Proof { id: seen::id_of("key", "1"), treatment };
        let seen = gate.0.dpop.see(&call, proof, Some(Arc::clone(store))).now_or_never().unwrap();
        seen.map_err(|(_, refusal)| refusal.reason)
    };
    for (responds, expected) in [(true, Err(Reason::DpopProofReplayed)), (false, Ok(()))] {
        let store: Arc<dyn SeenByAll> = Arc::new(Shared(Mutex::default(), responds));
        let [one, other] = [(); 2].map(|()| Gate::new(Config::default(), Posture::Compatible, false));
        assert_eq!(see(&one, &store), Ok(()));
        assert_eq!(see(&other, &store), expected);
        assert_eq!(see(&one, &store), Err(Reason::DpopProofReplayed));
    }
}
