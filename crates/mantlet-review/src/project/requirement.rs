//! Names, versions and specifiers of Python packages: PEP 503, PEP 440 and the beginning of PEP 508.

use std::str::FromStr as _;

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};

/// A name as PEP 503 compares it.
pub(super) fn normal(name: &str) -> String {
    let mut normal = String::new();
    for letter in name.trim().chars() {
        if matches!(letter, '-' | '_' | '.') {
            if !normal.ends_with('-') {
                normal.push('-');
            }
        } else {
            normal.extend(letter.to_lowercase());
        }
    }
    normal
}

/// What a project asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement {
    /// As PEP 503 compares it.
    pub(super) name: String,
    /// Which versions; none if it is a URL or cannot be read.
    pub(super) specifiers: Option<VersionSpecifiers>,
    /// It is asked for only on some platforms or versions of Python.
    pub(super) conditional: bool,
    /// From where, if not from an index.
    pub(super) url: Option<String>,
}

impl Requirement {
    /// `name[extra]>=1,<2; marker` or `name @ url`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text
            .find(|letter: char| !(letter.is_ascii_alphanumeric() || "-_.".contains(letter)))
            .unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end)?;
        if !name.starts_with(|letter: char| letter.is_ascii_alphanumeric()) {
            return None;
        }
        let mut rest = rest.trim_start();
        if let Some(extras) = rest.strip_prefix('[') {
            rest = extras.split_once(']')?.1.trim_start();
        }
        if let Some(url) = rest.strip_prefix('@') {
            let (url, marker) = url.split_once(" ;").unwrap_or((url, ""));
            return Some(Self {
                name: normal(name),
                specifiers: None,
                conditional: !marker.trim().is_empty(),
                url: Some(url.trim().to_owned()),
            });
        }
        let (versions, marker) = rest.split_once(';').unwrap_or((rest, ""));
        let versions = versions.trim();
        let versions =
            versions.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(versions);
        if !versions.is_empty() && !versions.starts_with(['=', '<', '>', '!', '~']) {
            return None;
        }
        Some(Self {
            name: normal(name),
            specifiers: VersionSpecifiers::from_str(versions).ok(),
            conditional: !marker.trim().is_empty(),
            url: None,
        })
    }

    /// A dependency as Poetry and Pipenv write it: `^1.2`, `~1.2`, `1.*`, `*`, `>=1,<2`.
    pub(super) fn of_poetry(name: &str, versions: &str, conditional: bool) -> Self {
        Self { name: normal(name), specifiers: poetry_versions(versions), conditional, url: None }
    }

    /// The one version that it allows: `==1.2.3`.
    pub(super) fn pinned(&self) -> Option<String> {
        let [specifier] = self.specifiers.as_deref()? else { return None };
        matches!(specifier.operator(), Operator::Equal | Operator::ExactEqual)
            .then(|| specifier.version().to_string())
    }
}

/// None: not known, so nothing is judged by it.
fn poetry_versions(text: &str) -> Option<VersionSpecifiers> {
    let mut all = Vec::<VersionSpecifier>::new();
    for part in text.split(',').map(str::trim) {
        if matches!(part, "" | "*") {
            continue;
        }
        if part.contains('|') || part.contains(' ') && !part.starts_with(['<', '>', '=', '!', '~']) {
            return None;
        }
        let kind = part
            .strip_prefix('^')
            .map(|rest| ('^', rest))
            .or_else(|| part.strip_prefix('~').filter(|rest| !rest.starts_with('=')).map(|rest| ('~', rest)));
        let specifiers = match kind {
            Some((kind, version)) => {
                let version = Version::from_str(version.trim()).ok()?;
                let release = version.release();
                // `^` lets all but the first part that is not 0 grow; `~` all but the second.
                let at = match kind {
                    '^' => {
                        release.iter().position(|part| *part != 0).unwrap_or(release.len().saturating_sub(1))
                    }
                    _ => usize::from(release.len() > 1),
                };
                let mut upper: Vec<u64> = release.iter().take(at + 1).copied().collect();
                if let Some(last) = upper.last_mut() {
                    *last = last.checked_add(1)?;
                }
                let upper = Version::new(upper).with_epoch(version.epoch());
                VersionSpecifiers::from_str(&format!(">={version},<{upper}")).ok()?
            }
            None if part.starts_with(|letter: char| letter.is_ascii_digit()) => {
                VersionSpecifiers::from_str(&format!("=={part}")).ok()?
            }
            None => VersionSpecifiers::from_str(part).ok()?,
        };
        all.extend(specifiers.iter().cloned());
    }
    Some(all.into_iter().collect())
}

/// Whether a version is one of those that are asked for, as `packaging` judges it with pre-releases allowed.
/// None if one of them cannot be read.
pub fn satisfies(specifiers: &str, version: &str) -> Option<bool> {
    within(&VersionSpecifiers::from_str(specifiers).ok()?, version)
}

/// The same, of specifiers that were read.
pub(super) fn within(specifiers: &VersionSpecifiers, version: &str) -> Option<bool> {
    let version = Version::from_str(version).ok()?;
    Some(specifiers.iter().all(|specifier| contains(specifier, &version)))
}

/// The library orders versions as PEP 440 does. Where bounds meet pre-, post- and local releases it differs from
/// `packaging`, so these are written here; random cases hold both against each other (`tests/project/versions.rs`).
fn contains(specifier: &VersionSpecifier, version: &Version) -> bool {
    let bound = specifier.version();
    let after = |number: Option<u64>| number.map(|number| number.saturating_add(1));
    match specifier.operator() {
        Operator::GreaterThanEqual => version >= bound,
        // `1.0+local` is one of `<=1.0`.
        Operator::LessThanEqual => version.clone().without_local() <= *bound,
        Operator::GreaterThan if bound.dev().is_some() => {
            *version >= bound.clone().with_dev(after(bound.dev()))
        }
        Operator::GreaterThan if bound.post().is_some() => {
            *version >= bound.clone().with_post(after(bound.post())).with_dev(Some(0))
        }
        // `>1.0` leaves out `1.0.post1` and `1.0+local`.
        Operator::GreaterThan => version > bound && root(version) != root(bound),
        Operator::LessThan if bound.any_prerelease() => version < bound,
        // `<1.0` leaves out `1.0a1`.
        Operator::LessThan => *version < bound.clone().with_dev(Some(0)),
        // `==1.1.*` compares part by part, and a version has as many zeros at its end as it takes.
        Operator::EqualStar | Operator::NotEqualStar | Operator::TildeEqual
            if version.release().len() < bound.release().len() =>
        {
            let padded =
                version.release().iter().copied().chain(std::iter::repeat(0)).take(bound.release().len());
            specifier.contains(&version.clone().with_release(padded.collect::<Vec<_>>()))
        }
        _ => specifier.contains(version),
    }
}

/// A version without what comes after its release.
fn root(version: &Version) -> Version {
    version.clone().without_local().with_post(None).with_dev(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_indexes_do() {
        assert_eq!(normal("Flask_SQLAlchemy"), "flask-sqlalchemy");
        assert_eq!(normal("zope.-_interface"), "zope-interface");
    }

    #[test]
    fn requirements() {
        let read = |text: &str| {
            let found = Requirement::parse(text)?;
            Some((found.name.clone(), found.specifiers.as_ref().map(ToString::to_string), found.conditional))
        };
        let some = |name: &str, versions: &str, conditional| {
            Some((name.to_owned(), Some(versions.to_owned()), conditional))
        };
        assert_eq!(read("FastAPI[standard]>=0.115,<1"), some("fastapi", ">=0.115, <1", false));
        assert_eq!(read("uvloop==0.21 ; sys_platform != 'win32'"), some("uvloop", "==0.21", true));
        assert_eq!(read("httpx"), some("httpx", "", false));
        assert_eq!(read("httpx (>=0.2)"), some("httpx", ">=0.2", false));
        assert_eq!(read("tool @ git+https://git.example/tool@main").map(|found| found.1), Some(None));
        assert_eq!(read("-r other.txt"), None);
        assert_eq!(read("./folder"), None);
    }

    #[test]
    fn versions_as_poetry_writes_them() {
        for (versions, inside, outside) in [
            ("^1.2.3", "1.9", "2.0"),
            ("^0.2.3", "0.2.9", "0.3.0"),
            ("^0.0.3", "0.0.3", "0.0.4"),
            ("^0", "0.9", "1.0"),
            ("~1.2.3", "1.2.9", "1.3"),
            ("~1", "1.9", "2"),
            ("1.2.*", "1.2.7", "1.3"),
            ("1.2.3", "1.2.3", "1.2.4"),
            (">=1,<2", "1.5", "2.0"),
        ] {
            let specifiers = Requirement::of_poetry("x", versions, false).specifiers.unwrap();
            assert_eq!(within(&specifiers, inside), Some(true), "{versions} {inside}");
            assert_eq!(within(&specifiers, outside), Some(false), "{versions} {outside}");
        }
        assert!(Requirement::of_poetry("x", "*", false).specifiers.unwrap().is_empty());
        assert_eq!(Requirement::of_poetry("x", "^1 || ^2", false).specifiers, None);
    }
}
