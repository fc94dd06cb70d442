//! Why a token is not good.

/// The first thing that is wrong with a token. The text is for the operator: a client learns no more than that its token is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenFault {
    /// It is not a JWS in compact form, or its JSON is ambiguous.
    Malformed,
    /// It is longer than [`super::LONGEST`].
    TooLong,
    /// Its `alg` is `none`, not known, or not one that its key takes.
    Algorithm,
    /// It has a `crit` header.
    Critical,
    /// Its `typ` is that of another kind of token.
    Type,
    /// Its key is not known.
    KeyUnknown,
    /// Its signature is not that of its key.
    Signature,
    /// It has expired.
    Expired,
    /// It is not valid yet, or was issued in the future.
    NotYet,
    /// It has no `exp`, and one is required.
    Endless,
    /// A registered claim is not of its type.
    Claim,
    /// It is from another issuer.
    Issuer,
    /// It is for another audience.
    Audience,
}

impl TokenFault {
    /// The fault in a few words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Malformed => "it is not a token in compact form",
            Self::TooLong => "it is longer than 16 KiB",
            Self::Algorithm => "its `alg` is not one that its key takes",
            Self::Critical => "it has a `crit` header",
            Self::Type => "its `typ` is not that of an access token",
            Self::KeyUnknown => "its key is not known",
            Self::Signature => "its signature is wrong",
            Self::Expired => "it has expired",
            Self::NotYet => "it is not valid yet",
            Self::Endless => "it has no `exp`",
            Self::Claim => "a registered claim is not of its type",
            Self::Issuer => "it is from another issuer",
            Self::Audience => "it is for another audience",
        }
    }
}

impl std::fmt::Display for TokenFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for TokenFault {}
