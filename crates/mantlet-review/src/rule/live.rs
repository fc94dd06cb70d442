//! Rules about what a running app answers.

use super::{Level, Owasp, Practice, Rule};

rules! {
    OBJECT_OF_ANOTHER = "object-of-another", High, Api1, None, 639,
        "One user reads the object of another",
        "A user who changes the id in a request reads what belongs to another user.",
        "Add an `[[authorization.own]]` rule, or check the owner in the handler and answer 404.";
    OBJECT_CHANGED_BY_ANOTHER = "object-changed-by-another", High, Api1, None, 639,
        "One user changes or removes the object of another",
        "A user who changes the id in a request overwrites or deletes what belongs to another user.",
        "Add an `[[authorization.own]]` rule, or check the owner in the handler and answer 404.";
    OBJECTS_TOLD = "objects-told", Low, Api1, None, 204,
        "A refusal tells which objects exist",
        "An attacker counts the objects of others, and learns which ids to try elsewhere.",
        "Answer 404 with the same body for what belongs to another user and for what does not exist.";
    OBJECT_WITHOUT_LOGIN = "object-without-login", High, Api2, None, 306,
        "The object of a user is read without a login",
        "A client that guesses an id reads what belongs to a user.",
        "Ask for a credential in this operation, and check the owner.";
    UNAUTHENTICATED = "unauthenticated", High, Api2, None, 306,
        "An operation that asks for a credential answers without one",
        "The declared protection is not there: every client can call it.",
        "Let the operation refuse a request without a valid credential.";
    TOKEN_LASTS_LONG = "token-lasts-long", Low, Api2, Some(Practice::Tokens), 613,
        "A token lasts longer than a day",
        "A token that was stolen is good for a long time.",
        "Issue tokens for a few minutes, and renew them.";
    CREDENTIALS_GUESSED = "credentials-guessed", Medium, Api2, Some(Practice::Limits), 307,
        "Passwords can be guessed without a limit",
        "A program tries passwords until one fits.",
        "Limit the attempts for each account and each address: see `[throttle]`.";
    ACCOUNTS_TOLD = "accounts-told", Medium, Api2, None, 204,
        "An answer tells which accounts exist",
        "An attacker collects the names of accounts, and then guesses only their passwords.",
        "Answer the same for an account that exists and for one that does not.";
    SESSION_COOKIE = "session-cookie-is-open", Medium, Api2, Some(Practice::Headers), 1004,
        "Scripts can read the cookie of a session",
        "A script that was smuggled into a page takes the session with it.",
        "Set the cookie with `HttpOnly`, `Secure` and `SameSite`: see `[cookies]`.";
    INPUT_BEFORE_LOGIN = "input-before-login", Low, Api2, Some(Practice::Input), 287,
        "Input is checked before the credential",
        "Callers without an account learn what an operation takes.",
        "Check the credential in a dependency that needs no other input.";
    FUNCTION_OF_ADMINISTRATORS = "function-of-administrators", High, Api5, None, 285,
        "An ordinary user calls what is for administrators",
        "Every user can do what only administrators should.",
        "Add an `[[authorization.allow]]` rule, or ask for the role in a dependency of the router.";
    SECRET_SHOWN = "secret-shown", High, Api3, None, 200,
        "An answer shows a password, a hash or a key",
        "A client that reads the answer cracks or uses what only the app should know.",
        "Declare a response model without this field: see `[responses]`.";
    FIELD_NOT_DECLARED = "field-not-declared", Low, Api3, None, 213,
        "An answer shows fields that other answers leave out",
        "What was added to a table is shown to all clients, because no model says what is.",
        "Declare a response model.";
    MASS_ASSIGNMENT = "mass-assignment", High, Api3, Some(Practice::Input), 915,
        "A request sets a field that it should not",
        "A user who adds a field to a request changes what only the app should.",
        "Forbid unknown fields in the model, and take over the declared ones only.";
    ROLE_ASSIGNED = "role-assigned", High, Api3, Some(Practice::Input), 269,
        "A user gives themselves a role",
        "A user who adds a field to a request becomes an administrator.",
        "Leave what says what a user may do out of the models of requests.";
    NO_HTTPS = "no-redirect-to-https", Medium, Api8, Some(Practice::Https), 319,
        "Plain HTTP is answered",
        "What is sent without TLS is read and changed on its way.",
        "Redirect to HTTPS: see `[https]`.";
    NO_HSTS = "no-hsts", Medium, Api8, Some(Practice::Https), 319,
        "Browsers are not told to use HTTPS only",
        "The first request of each visit can be led to plain HTTP.",
        "Send `Strict-Transport-Security`: see `[https]`.";
    HEADERS_MISSING = "headers-missing", Low, Api8, Some(Practice::Headers), 693,
        "Security headers are missing",
        "Browsers guess types, show pages in frames, and tell other sites addresses.",
        "Send them with each answer: see `[headers]`.";
    PAGE_WITHOUT_POLICY = "page-without-policy", Medium, Api8, Some(Practice::Headers), 1021,
        "A page has no content policy",
        "A script that was smuggled into the page runs, and other sites show the page in a frame.",
        "Send `Content-Security-Policy` with `frame-ancestors`: see `[headers]`.";
    ANSWER_IS_STORED = "answer-is-stored", Low, Api8, Some(Practice::Headers), 525,
        "Answers for one user may be stored",
        "A cache or a browser keeps what was meant for one user.",
        "Send `Cache-Control: no-store` with what needs a credential.";
    FOREIGN_ORIGIN = "foreign-origin", Medium, Api8, Some(Practice::Cors), 942,
        "Pages of any site may read answers, with credentials",
        "A page of an attacker reads what the app says to the visitor of that page.",
        "List the origins that may: see `[cors]`.";
    ANY_ORIGIN = "any-origin", Low, Api8, Some(Practice::Cors), 942,
        "Pages of any site may read answers",
        "A page of an attacker reads what the app says to every client in the visitor's network.",
        "List the origins that may: see `[cors]`.";
    ERROR_TELLS = "error-tells", Medium, Api8, None, 209,
        "An error shows the inside of the app",
        "Paths, statements and versions tell an attacker where to go on.",
        "Answer errors without details, switch debug mode off, and log them instead: see `[responses]`.";
    INPUT_BREAKS = "input-breaks", Low, Api8, Some(Practice::Input), 755,
        "Input that passes makes the app fail",
        "An attacker fills the log, and looks for inputs that break more.",
        "Bound numbers, lengths and characters in the models of requests.";
    METHOD_TRACE = "method-trace", Low, Api8, None, 693,
        "The method TRACE is answered",
        "What a proxy adds to a request is shown to the client.",
        "Refuse it.";
    HOST_REFLECTED = "host-reflected", Low, Api8, None, 20,
        "A foreign host is repeated",
        "An attacker lets the app write links that lead to a site of the attacker.",
        "List the hosts that the app is known by: see `[host]`.";
    DOCS_REACHABLE = "docs-reachable", Low, Api9, None, 1059,
        "The documentation is open to all",
        "An attacker reads which operations there are, and what they take.",
        "Switch it off in production, or ask for a login.";
    HIDDEN_OPERATION = "hidden-operation-answers", Low, Api9, None, 912,
        "An operation that is not documented answers all clients",
        "What is not listed is not looked after.",
        "Remove it, or ask for a credential.";
}
