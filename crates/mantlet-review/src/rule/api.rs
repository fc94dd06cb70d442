//! Rules about the app itself: its contract, its configuration, its answers.

use super::{Level, Owasp, Practice, Rule};

rules! {
    OBJECT_WITHOUT_RULE = "object-without-rule", High, Api1, None, 639,
        "No rule checks whose object this is",
        "A caller who changes the id in the path may read or change what belongs to another user.",
        "Add an `[[authorization.own]]` rule, or check the owner in the handler.";
    LOGIN_WITHOUT_LIMIT = "login-without-limit", High, Api2, Some(Practice::Limits), 307,
        "Attempts to log in are not limited",
        "An attacker tries passwords and codes until one is right.",
        "Leave `throttle.sensitive` at `enforce`, or limit attempts in the app.";
    WRITE_WITHOUT_LOGIN = "write-without-login", High, Api2, None, 306,
        "No login is needed to change this",
        "Anyone changes what other operations keep behind a login.",
        "Ask for a credential in the operation, or add an `[[authorization.allow]]` rule.";
    READ_WITHOUT_LOGIN = "read-without-login", Medium, Api2, None, 306,
        "No login is needed to read this",
        "Anyone reads what other operations keep behind a login.",
        "Ask for a credential in the operation, or add an `[[authorization.allow]]` rule.";
    CREDENTIAL_NOT_CHECKED = "credential-not-checked", High, Api2, None, 287,
        "A credential is asked for and never looked at",
        "Any text passes for a credential.",
        "Depend on what verifies the credential, as other operations do.";
    GUESSABLE_CODE = "guessable-code", Medium, Api2, Some(Practice::Tokens), 338,
        "A code is random in a way that can be foretold",
        "An attacker who has seen some codes computes the next.",
        "Make codes with `secrets`.";
    WEAK_KEY = "weak-signing-key", High, Api2, Some(Practice::Tokens), 321,
        "The key that signs tokens can be guessed",
        "An attacker who knows the key makes tokens for any user.",
        "Take a random key of at least 32 bytes from the environment or a file, and give it no default.";
    LITERAL_CREDENTIAL = "literal-credential", High, Api2, None, 798,
        "A credential stands in the code",
        "Every reader of the repository has it, and it is the same everywhere.",
        "Take it from the environment or a file, and give it no default.";
    TOKEN_NOT_VERIFIED = "token-not-verified", Critical, Api2, Some(Practice::Tokens), 347,
        "A token is read without a look at its signature",
        "Anyone writes a token and is any user.",
        "Verify the signature, and name the algorithms that are accepted.";
    TOKEN_WITHOUT_END = "token-without-end", Medium, Api2, Some(Practice::Tokens), 613,
        "Tokens never expire",
        "A token that was stolen once is good for ever.",
        "Put `exp` into tokens, a short time from now.";
    LONG_LIVED_TOKEN = "long-lived-token", Low, Api2, Some(Practice::Tokens), 613,
        "Tokens are good for a long time",
        "A token that was stolen is good for as long.",
        "Let access tokens expire within a day, and renew them with refresh tokens.";
    WEAK_PASSWORD_HASH = "weak-password-hash", High, Api2, None, 916,
        "Passwords are hashed with a function that is quick to compute",
        "An attacker who gets the hashes tries billions of passwords a second.",
        "Use Argon2, scrypt or bcrypt.";
    PASSWORD_IN_PLAIN = "password-in-plain", High, Api2, None, 256,
        "Passwords are kept as they are",
        "An attacker who reads the table has the passwords of all users.",
        "Keep hashes of passwords only, made with Argon2, scrypt or bcrypt.";
    PASSWORD_IN_ANSWER = "password-in-answer", High, Api3, None, 200,
        "An answer shows passwords or their hashes",
        "A client that gets the answer can guess passwords at leisure.",
        "Declare a response model without the field.";
    MORE_THAN_THE_MODEL = "more-than-the-model", Medium, Api3, None, 213,
        "An answer shows columns that other operations leave out",
        "Clients read what was meant to stay inside.",
        "Declare a response model.";
    ROLE_FROM_INPUT = "role-from-input", High, Api3, None, 915,
        "A caller can set what decides about rights",
        "A user makes themselves an administrator.",
        "Take the field out of the input model, or set it in the handler.";
    OWNER_FROM_INPUT = "owner-from-input", Medium, Api3, None, 915,
        "A caller can say whose an object is",
        "A user makes objects for others, or takes theirs.",
        "Set the owner from the caller, and take it out of the input model.";
    ANY_FIELD_WRITTEN = "any-field-written", High, Api3, Some(Practice::Input), 915,
        "Fields that no model has are written",
        "A client sets columns that were never meant to be set.",
        "Forbid other fields (`extra=\"forbid\"`), and write those that the model has.";
    UNBOUNDED_PAGE = "unbounded-page", Medium, Api4, Some(Practice::Limits), 770,
        "A client says how many rows are read, without a maximum",
        "One request reads a whole table, and a few stop the app.",
        "Give the parameter a maximum: `Query(le=100)`.";
    UPLOAD_WITHOUT_LIMIT = "upload-without-limit", Medium, Api4, Some(Practice::Uploads), 770,
        "Files of any size are accepted",
        "A few uploads fill the disk or the memory.",
        "Set `uploads.file-size`, or check the size in the handler.";
    UNBOUNDED_INPUT = "unbounded-input", Info, Api4, Some(Practice::Input), 770,
        "Texts and lists have no maximum",
        "Large values are kept and processed.",
        "Give fields a `max_length`, or set `limits.body-size`.";
    ADMIN_WITHOUT_ROLE = "admin-without-role", Low, Api5, None, 285,
        "Nothing asks whether the caller is an administrator",
        "Any user calls what looks meant for administrators.",
        "Add an `[[authorization.allow]]` rule, or a dependency that asks for the role.";
    LESS_GUARDED = "less-guarded", Medium, Api5, None, 285,
        "An operation asks for no role, and its neighbour does",
        "Any user does what was meant for some.",
        "Ask for the same role in both, or add an `[[authorization.allow]]` rule.";
    FLOW_WITHOUT_LIMIT = "flow-without-limit", Medium, Api6, Some(Practice::Limits), 799,
        "A flow that scripts abuse is not limited",
        "A script makes a million accounts, orders or mails.",
        "Leave `throttle.sensitive` at `enforce`, or limit it in the app.";
    REQUEST_TO_INPUT = "request-to-input", High, Api7, None, 918,
        "A client chooses the host that the app asks",
        "An attacker has the app ask services that only it can reach.",
        "Compare the host with a list of those that are meant.";
    SQL_FROM_INPUT = "sql-from-input", Critical, Api8, Some(Practice::Input), 89,
        "Text of a client stands in SQL",
        "An attacker reads and changes all of the database.",
        "Hand values over as parameters.";
    CODE_FROM_INPUT = "code-from-input", Critical, Api8, Some(Practice::Input), 94,
        "Text of a client is run as code",
        "An attacker runs commands where the app runs.",
        "Do not run text. Call programs with a list of arguments, without a shell.";
    FILE_NAME_AS_PATH = "file-name-as-path", High, Api8, Some(Practice::Uploads), 22,
        "A client chooses the path of a file",
        "An attacker reads or overwrites files of the app.",
        "Make names of your own, or take the last part alone: `Path(name).name`.";
    REDIRECT_TO_INPUT = "redirect-to-input", Medium, Api8, None, 601,
        "A client chooses the host that a browser is sent to",
        "A link to the app leads to a page of an attacker.",
        "Redirect to paths of your own.";
    SECRET_IN_ANSWER = "secret-in-answer", Critical, Api8, Some(Practice::Tokens), 200,
        "An answer shows a key that signs tokens",
        "Anyone makes tokens for any user.",
        "Take the key out of the answer, and replace it.";
    ERROR_TEXT = "error-text", Medium, Api8, None, 209,
        "Clients are told the text of any exception",
        "Errors tell of tables, files and versions.",
        "Answer with words of your own, and log the exception.";
    DEBUG = "debug", Medium, Api8, None, 489,
        "Debug mode is on",
        "Errors show source code and values of variables.",
        "Make the app without `debug=True`.";
    DOCS_PUBLIC = "docs-public", Low, Api8, None, 200,
        "The documentation is public",
        "An attacker reads all that the app can do.",
        "Set `contract.docs = \"reject\"`.";
    CORS_ANY_ORIGIN = "cors-any-origin", High, Api8, Some(Practice::Cors), 942,
        "Any page may call the app with the cookies of its users",
        "A page of an attacker reads what the user of a browser may read.",
        "Name the origins that are meant.";
    CORS_LOOSE_PATTERN = "cors-loose-pattern", Medium, Api8, Some(Practice::Cors), 942,
        "The pattern of origins matches others, too",
        "An attacker registers a name that the pattern matches.",
        "Name the origins, or escape the dots and match the whole origin.";
    SESSION_COOKIE = "session-cookie", Medium, Api8, Some(Practice::Headers), 1004,
        "A cookie of a session lacks protection",
        "Scripts read the cookie, other sites send it, or it goes over plain HTTP.",
        "Set `httponly=True`, `secure=True` and `samesite=\"lax\"`.";
    COOKIE = "cookie", Info, Api8, Some(Practice::Headers), 1004,
        "A cookie lacks protection",
        "Scripts read the cookie, other sites send it, or it goes over plain HTTP.",
        "Set `httponly=True`, `secure=True` and `samesite=\"lax\"`.";
    HEADERS_OFF = "headers-off", Medium, Api8, Some(Practice::Headers), 693,
        "Security headers are not sent",
        "Browsers frame, sniff and cache what they should not.",
        "Leave `headers.mode` at `enforce`.";
    HTTPS_NOT_REQUIRED = "https-not-required", Info, Api8, Some(Practice::Https), 319,
        "Plain HTTP is not refused",
        "An attacker on the way reads passwords and tokens.",
        "Give Mantlet a certificate, or set `https.required = \"always\"` behind a proxy with one.";
    HOSTS_NOT_CHECKED = "hosts-not-checked", Info, Api8, None, 346,
        "Any host name is accepted",
        "Links that the app makes lead to a host that an attacker has named.",
        "Set `host.allow`.";
    NO_AUDIT = "no-audit", Medium, Api8, Some(Practice::Logging), 778,
        "What was refused is not recorded",
        "An attack is not seen, and what happened cannot be told later.",
        "Leave `audit.file` at its default, or name a file.";
    ONLY_REPORTED = "only-reported", Medium, Api8, None, 693,
        "The gate refuses nothing",
        "Attacks are recorded, and pass.",
        "Set `report-only = false`.";
    CONTROL_OFF = "control-off", Medium, Api8, Some(Practice::Input), 693,
        "A control of the gate is off",
        "What it would refuse passes.",
        "Leave the control at its default.";
    HIDDEN_OPERATION = "hidden-operation", Low, Api9, None, 1059,
        "An operation is in no document",
        "It is forgotten, and not looked after.",
        "Document it, remove it, or set `contract.hidden-routes = \"reject\"` for its route.";
    DEPRECATED_WITHOUT_SUNSET = "deprecated-without-sunset", Info, Api9, None, 1059,
        "A deprecated operation does not say when it ends",
        "Old operations stay, with their old weaknesses.",
        "Set `deprecation.mode = \"enforce\"` with a `sunset`.";
    OLD_VERSION = "old-version", Info, Api9, None, 1059,
        "Several versions of an operation stand side by side",
        "A weakness that was mended in one is still in the other.",
        "Remove the old version, or mark it `deprecated` and say when it ends.";
    PEER_NOT_VERIFIED = "peer-not-verified", High, Api10, None, 295,
        "The certificate of another service is not verified",
        "An attacker on the way answers in its place.",
        "Take `verify=False` out, and name the authority if it is your own.";
    PLAIN_CALL = "plain-call", Medium, Api10, None, 319,
        "Another service is asked over plain HTTP",
        "An attacker on the way reads and changes what is said.",
        "Ask it over HTTPS.";
    CALL_WITHOUT_TIMEOUT = "call-without-timeout", Low, Api10, None, 400,
        "Another service is waited for without a limit",
        "A slow service holds all workers of the app.",
        "Give the call a `timeout`.";
}
