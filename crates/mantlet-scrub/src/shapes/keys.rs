//! Keys of services that have a prefix and a length of their own, and the API keys of this gate.

use super::{Kind, LONGEST, Text, Verdict};

/// The form of a key.
#[derive(Debug)]
pub(crate) struct Form {
    pub(super) prefix: &'static str,
    /// Whether the prefix is a name, in either case, after which a sign such as `=` or `: "` stands.
    is_name: bool,
    /// How many characters follow: this many, or this many at least.
    length: usize,
    is_longer: bool,
    characters: Kind,
    /// What stands within each key, after so many characters.
    inner: (usize, &'static str),
    what: &'static str,
}

const fn exactly(prefix: &'static str, length: usize, characters: Kind, what: &'static str) -> Form {
    Form { prefix, is_name: false, length, is_longer: false, characters, inner: (0, ""), what }
}

const fn at_least(prefix: &'static str, length: usize, characters: Kind, what: &'static str) -> Form {
    Form { prefix, is_name: false, length, is_longer: true, characters, inner: (0, ""), what }
}

const fn named(prefix: &'static str, length: usize, what: &'static str) -> Form {
    Form { prefix, is_name: true, length, is_longer: false, characters: Kind::Base64, inner: (0, ""), what }
}

/// As their makers document them, or as their keys look.
pub(super) static FORMS: &[Form] = &[
    exactly("ghp_", 36, Kind::Alphanumeric, "token of GitHub"),
    exactly("gho_", 36, Kind::Alphanumeric, "token of GitHub"),
    exactly("ghu_", 36, Kind::Alphanumeric, "token of GitHub"),
    exactly("ghs_", 36, Kind::Alphanumeric, "token of GitHub"),
    exactly("ghr_", 36, Kind::Alphanumeric, "token of GitHub"),
    exactly("github_pat_", 82, Kind::Name, "token of GitHub"),
    at_least("glpat-", 20, Kind::Dotted, "token of GitLab"),
    at_least("glrt-", 20, Kind::Dotted, "token of GitLab"),
    at_least("gldt-", 20, Kind::Dotted, "token of GitLab"),
    at_least("sk_live_", 24, Kind::Alphanumeric, "key of Stripe"),
    at_least("rk_live_", 24, Kind::Alphanumeric, "key of Stripe"),
    at_least("sk_test_", 24, Kind::Alphanumeric, "key of Stripe"),
    at_least("rk_test_", 24, Kind::Alphanumeric, "key of Stripe"),
    at_least("whsec_", 32, Kind::Base64, "secret of a webhook"),
    at_least("xoxb-", 30, Kind::Word, "token of Slack"),
    at_least("xoxp-", 30, Kind::Word, "token of Slack"),
    at_least("xoxa-", 30, Kind::Word, "token of Slack"),
    at_least("xoxr-", 30, Kind::Word, "token of Slack"),
    at_least("xoxs-", 30, Kind::Word, "token of Slack"),
    at_least("xoxe-", 30, Kind::Word, "token of Slack"),
    at_least("xoxc-", 30, Kind::Word, "token of Slack"),
    at_least("xoxd-", 30, Kind::Percent, "token of Slack"),
    at_least("xapp-", 30, Kind::Word, "token of Slack"),
    at_least("hooks.slack.com/services/", 30, Kind::Path, "webhook of Slack"),
    at_least("hooks.slack.com/workflows/", 30, Kind::Path, "webhook of Slack"),
    at_least("hooks.slack.com/triggers/", 30, Kind::Path, "webhook of Slack"),
    exactly("SG.", 66, Kind::Dotted, "key of SendGrid"),
    exactly("AKIA", 16, Kind::Upper, "key id of AWS"),
    exactly("ASIA", 16, Kind::Upper, "key id of AWS"),
    named("secret_access_key", 40, "key of AWS"),
    named("secretaccesskey", 40, "key of AWS"),
    named("AccountKey", 88, "key of Azure"),
    named("SharedAccessKey", 44, "key of Azure"),
    exactly("AIza", 35, Kind::Word, "key of Google"),
    exactly("GOCSPX-", 28, Kind::Word, "secret of Google"),
    at_least("ya29.", 40, Kind::Dotted, "token of Google"),
    at_least("sk-ant-", 80, Kind::Word, "key of Anthropic"),
    at_least("sk-proj-", 40, Kind::Word, "key of OpenAI"),
    at_least("sk-admin-", 40, Kind::Word, "key of OpenAI"),
    Form { inner: (20, "T3BlbkFJ"), ..exactly("sk-", 48, Kind::Alphanumeric, "key of OpenAI") },
    at_least("sk-svcacct-", 40, Kind::Word, "key of OpenAI"),
    at_least("hf_", 34, Kind::Alphanumeric, "token of Hugging Face"),
    at_least("pypi-AgEIcHlwaS5vcmc", 50, Kind::Word, "token of PyPI"),
    at_least("pypi-AgENdGVzdC5weXBpLm9yZw", 50, Kind::Word, "token of PyPI"),
    exactly("npm_", 36, Kind::Alphanumeric, "token of npm"),
    exactly("dop_v1_", 64, Kind::Hex, "token of DigitalOcean"),
    exactly("doo_v1_", 64, Kind::Hex, "token of DigitalOcean"),
    exactly("dor_v1_", 64, Kind::Hex, "token of DigitalOcean"),
    exactly("shpat_", 32, Kind::Hex, "token of Shopify"),
    exactly("shpss_", 32, Kind::Hex, "secret of Shopify"),
    exactly("shpca_", 32, Kind::Hex, "token of Shopify"),
    exactly("shppa_", 32, Kind::Hex, "token of Shopify"),
    at_least("dckr_oat_", 27, Kind::Word, "token of Docker"),
    exactly("dckr_pat_", 27, Kind::Word, "token of Docker"),
    at_least("hvs.", 24, Kind::Word, "token of Vault"),
    at_least("hvb.", 100, Kind::Word, "token of Vault"),
    exactly("AGE-SECRET-KEY-1", 58, Kind::Upper, "private key"),
];

pub(super) fn judge(text: Text<'_>, start: usize, form: &Form) -> Verdict {
    let mut from = start + form.prefix.len();
    if form.is_name {
        let (end, is_known) = text.run(from, 8, Kind::Sign);
        match (is_known, end - from) {
            (false, _) => return Verdict::Open,
            (true, 0) => return Verdict::No,
            (true, _) => from = after_bytes_mark(text, end),
        }
    } else if !text.from(start).starts_with(form.prefix.as_bytes()) || !text.is_start(start) {
        return Verdict::No;
    }
    let most = if form.is_longer { LONGEST } else { form.length + 1 };
    let (end, is_known) = text.run(from, most, form.characters);
    let length = end - from;
    if !is_known {
        let is_certain = form.is_longer && length >= form.length;
        return if is_certain { Verdict::Begun(form.what) } else { Verdict::Open };
    }
    let is_one = if form.is_longer { length >= form.length } else { length == form.length };
    let (at, inner) = form.inner;
    let is_one = is_one && text.from(from + at).starts_with(inner.as_bytes());
    let range = if form.is_name { from..end } else { start..end };
    if is_one { Verdict::Found(range, form.what) } else { Verdict::No }
}

/// Python writes bytes as `b'…'`.
fn after_bytes_mark(text: Text<'_>, at: usize) -> usize {
    let is_marked = text.byte_before(at) != Some(b'\'')
        && matches!(text.from(at), [b'b', quote, ..] if b"'\"".contains(quote));
    if is_marked { at + 2 } else { at }
}

/// `mk_ENVIRONMENT_ID_SECRET_CHECKSUM`; the checksum is CRC-32 of all before its `_`.
pub(super) const GATE_TRIGGER: &str = "mk_";

pub(super) fn judge_own(text: Text<'_>, start: usize) -> Verdict {
    if !text.from(start).starts_with(GATE_TRIGGER.as_bytes()) || !text.is_start(start) {
        return Verdict::No;
    }
    let (end, is_known) = text.run(start, 256, Kind::Word);
    if !is_known {
        return Verdict::Open;
    }
    let key = text.at(start..end);
    let sum = key.len().checked_sub(9).and_then(|at| Some((key.get(..at)?, key.get(at..)?)));
    match sum {
        // At most one candidate of a run begins where it has to: the checksum is computed once.
        Some((summed, [b'_', sum @ ..]))
            if is_own(summed) && sum == format!("{:08x}", checksum(summed)).as_bytes() =>
        {
            Verdict::Found(start..end, "API key")
        }
        _ => Verdict::No,
    }
}

/// An environment of letters and digits, an id of 10 characters, a secret of 43.
fn is_own(key: &[u8]) -> bool {
    let environment = key.len().checked_sub(44 + 11).and_then(|end| key.get(GATE_TRIGGER.len()..end));
    environment.is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric))
}

/// CRC-32, as Python's `zlib.crc32` has it.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| {
                if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 }
            },
        )
    })
}
