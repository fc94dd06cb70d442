//! Where a secret is: on which server, under which name, in which field.

use std::fmt;

/// What is asked of a server at once. Its fields belong together: a user and its password are of one lease.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A path of `OpenBao` or Vault, as its command line writes it: without `data/`.
    Vault(String),
    /// A secret of AWS Secrets Manager, by its name or ARN.
    Aws(String),
}

/// A secret of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where it is.
    pub source: Source,
    /// Which field it is. None: the whole secret.
    pub field: Option<String>,
}

impl Place {
    /// `PATH#FIELD` of `OpenBao` or Vault; or what is wrong with it.
    pub fn of_vault(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("`vault:{text}` {why}; write `vault:secret/shop#password`"));
        let (path, field) = text.rsplit_once('#').map_or((text, ""), |(path, field)| (path, field));
        let path = path.trim_matches('/');
        if path.is_empty() {
            return wrong("names no path");
        }
        if field.is_empty() {
            return wrong("names no field");
        }
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) || path.starts_with("v1/") {
            return wrong("is not a path of OpenBao or Vault");
        }
        Ok(Self { source: Source::Vault(path.to_owned()), field: Some(field.to_owned()) })
    }

    /// `NAME#FIELD` or `NAME` of AWS Secrets Manager; or what is wrong with it.
    pub fn of_aws(text: &str) -> Result<Self, String> {
        let (name, field) = match text.rsplit_once('#') {
            Some((name, field)) => (name, Some(field)),
            None => (text, None),
        };
        if name.is_empty() || field == Some("") {
            let missing = if name.is_empty() { "secret" } else { "field" };
            return Err(format!(
                "`aws-sm:{text}` names no {missing}; write `aws-sm:prod/shop#password`, or `aws-sm:prod/shop` for all of it"
            ));
        }
        Ok(Self { source: Source::Aws(name.to_owned()), field: field.map(str::to_owned) })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault(path) => write!(f, "vault:{path}"),
            Self::Aws(name) => write!(f, "aws-sm:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let of = |text| Place::of_vault(text).map(|place| (place.source.to_string(), place.field));
        let due = |path: &str, field: &str| Ok((format!("vault:{path}"), Some(field.to_owned())));
        assert_eq!(of("secret/shop#url"), due("secret/shop", "url"));
        assert_eq!(of("/secret/shop/#url"), due("secret/shop", "url"));
        assert_eq!(of("secret/a#b#c"), due("secret/a#b", "c"));
        for (text, says) in [
            ("", "names no path"),
            ("#url", "names no path"),
            ("secret/shop", "names no field"),
            ("secret/shop#", "names no field"),
            ("secret/../sys#x", "is not a path"),
            ("v1/secret/shop#x", "is not a path"),
        ] {
            assert!(of(text).is_err_and(|why| why.contains(says)), "{text}");
        }
        let of = |text| Place::of_aws(text).map(|place| (place.source.to_string(), place.field));
        assert_eq!(of("prod/shop"), Ok(("aws-sm:prod/shop".to_owned(), None)));
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf";
        let text = format!("{arn}#url");
        assert_eq!(of(&text), Ok((format!("aws-sm:{arn}"), Some("url".to_owned()))));
        assert!(of("#url").is_err_and(|why| why.contains("names no secret")));
        assert!(of("shop#").is_err_and(|why| why.contains("names no field")));
    }
}
