//! Keys of services that have a prefix and a length of their own, and the API keys of this gate.

use super::{LONGEST, Text, Verdict, is_alphanumeric, is_base64, is_hex, is_word};

/// The form of a key.
#[derive(Debug)]
pub(crate) struct Form {
    pub(super) prefix: &'static str,
    /// Whether the prefix is a name, in either case, after which a sign such as `=` or `: "` stands.
    is_name: bool,
    /// How many characters follow: this many, or this many at least.
    length: usize,
    is_longer: bool,
    characters: fn(u8) -> bool,
    what: &'static str,
}

const fn exactly(
    prefix: &'static str,
    length: usize,
    characters: fn(u8) -> bool,
    what: &'static str,
) -> Form {
    Form { prefix, is_name: false, length, is_longer: false, characters, what }
}

const fn at_least(
    prefix: &'static str,
    length: usize,
    characters: fn(u8) -> bool,
    what: &'static str,
) -> Form {
    Form { prefix, is_name: false, length, is_longer: true, characters, what }
}

const fn named(prefix: &'static str, length: usize, what: &'static str) -> Form {
    Form { prefix, is_name: true, length, is_longer: false, characters: is_base64, what }
}

fn is_dotted(byte: u8) -> bool {
    is_word(byte) || byte == b'.'
}

fn is_path(byte: u8) -> bool {
    is_alphanumeric(byte) || byte == b'/'
}

fn is_upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn is_any_case_word(byte: u8) -> bool {
    is_alphanumeric(byte) || byte == b'_'
}

/// As their makers document them, or as their keys look.
pub(super) static FORMS: &[Form] = &[
    exactly("ghp_", 36, is_alphanumeric, "token of GitHub"),
    exactly("gho_", 36, is_alphanumeric, "token of GitHub"),
    exactly("ghu_", 36, is_alphanumeric, "token of GitHub"),
    exactly("ghs_", 36, is_alphanumeric, "token of GitHub"),
    exactly("ghr_", 36, is_alphanumeric, "token of GitHub"),
    exactly("github_pat_", 82, is_any_case_word, "token of GitHub"),
    at_least("glpat-", 20, is_dotted, "token of GitLab"),
    at_least("sk_live_", 24, is_alphanumeric, "key of Stripe"),
    at_least("rk_live_", 24, is_alphanumeric, "key of Stripe"),
    at_least("sk_test_", 24, is_alphanumeric, "key of Stripe"),
    at_least("rk_test_", 24, is_alphanumeric, "key of Stripe"),
    at_least("whsec_", 32, is_base64, "secret of a webhook"),
    at_least("xoxb-", 30, is_word, "token of Slack"),
    at_least("xoxp-", 30, is_word, "token of Slack"),
    at_least("xoxa-", 30, is_word, "token of Slack"),
    at_least("xoxr-", 30, is_word, "token of Slack"),
    at_least("xoxs-", 30, is_word, "token of Slack"),
    at_least("xapp-", 30, is_word, "token of Slack"),
    at_least("hooks.slack.com/services/", 30, is_path, "webhook of Slack"),
    exactly("SG.", 66, is_dotted, "key of SendGrid"),
    exactly("AKIA", 16, is_upper, "key id of AWS"),
    exactly("ASIA", 16, is_upper, "key id of AWS"),
    named("secret_access_key", 40, "key of AWS"),
    named("secretaccesskey", 40, "key of AWS"),
    named("AccountKey", 88, "key of Azure"),
    named("SharedAccessKey", 44, "key of Azure"),
    exactly("AIza", 35, is_word, "key of Google"),
    exactly("GOCSPX-", 28, is_word, "secret of Google"),
    at_least("ya29.", 40, is_dotted, "token of Google"),
    at_least("sk-ant-", 80, is_word, "key of Anthropic"),
    at_least("sk-proj-", 40, is_word, "key of OpenAI"),
    at_least("sk-svcacct-", 40, is_word, "key of OpenAI"),
    at_least("hf_", 34, is_alphanumeric, "token of Hugging Face"),
    at_least("pypi-AgEIcHlwaS5vcmc", 50, is_word, "token of PyPI"),
    exactly("npm_", 36, is_alphanumeric, "token of npm"),
    exactly("dop_v1_", 64, is_hex, "token of DigitalOcean"),
    exactly("doo_v1_", 64, is_hex, "token of DigitalOcean"),
    exactly("dor_v1_", 64, is_hex, "token of DigitalOcean"),
    exactly("shpat_", 32, is_hex, "token of Shopify"),
    exactly("dckr_pat_", 27, is_word, "token of Docker"),
    at_least("hvs.", 24, is_word, "token of Vault"),
    at_least("hvb.", 100, is_word, "token of Vault"),
    exactly("AGE-SECRET-KEY-1", 58, is_upper, "private key"),
];

pub(super) fn judge(text: Text<'_>, start: usize, form: &Form) -> Verdict {
    let mut from = start + form.prefix.len();
    if form.is_name {
        let (end, is_known) = text.run(from, 8, |byte| b" \"'=:\\".contains(&byte));
        match (is_known, end - from) {
            (false, _) => return Verdict::Open,
            (true, 0) => return Verdict::No,
            (true, _) => from = end,
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
    let range = if form.is_name { from..end } else { start..end };
    if is_one { Verdict::Found(range, form.what) } else { Verdict::No }
}

/// `mk_ENVIRONMENT_ID_SECRET_CHECKSUM`; the checksum is CRC-32 of all before its `_`.
pub(super) const GATE_TRIGGER: &str = "mk_";

pub(super) fn judge_own(text: Text<'_>, start: usize) -> Verdict {
    if !text.from(start).starts_with(GATE_TRIGGER.as_bytes()) || !text.is_start(start) {
        return Verdict::No;
    }
    let (end, is_known) = text.run(start, 256, is_word);
    if !is_known {
        return Verdict::Open;
    }
    let key = text.at(start..end);
    let sum = key.len().checked_sub(9).and_then(|at| Some((key.get(..at)?, key.get(at..)?)));
    match sum {
        Some((summed, [b'_', sum @ ..])) if sum == format!("{:08x}", checksum(summed)).as_bytes() => {
            Verdict::Found(start..end, "API key")
        }
        _ => Verdict::No,
    }
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
