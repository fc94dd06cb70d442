//! Files with settings for the environment: `.env` and the like.

/// `.env`, `.env.production`, `prod.env`.
pub(super) fn is_environment(name: &str) -> bool {
    name == ".env"
        || name.starts_with(".env.")
        || name == ".envrc"
        || (super::files::ends(name, ".env") && name.len() > 4)
}

/// An example of a file with settings, which holds no secrets by its name.
pub(super) fn is_example(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    name.split(['.', '-', '_']).any(|word| {
        matches!(
            word,
            "example"
                | "examples"
                | "sample"
                | "template"
                | "tmpl"
                | "tpl"
                | "dist"
                | "default"
                | "defaults"
                | "schema"
                | "test"
                | "testing"
                | "tests"
                | "ci"
                | "vault"
        )
    })
}

/// The lines of a file with settings: their number, name and value.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (u32, &str, &str)> {
    (1..).zip(text.lines()).filter_map(|(number, line)| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
        let value = value.trim();
        let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.split(quote).next());
        let value =
            quoted.unwrap_or_else(|| value.split_once(" #").map_or(value, |(value, _)| value.trim_end()));
        let name = name.trim();
        name.chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter))
            .then_some((number, name, value))
    })
}
