//! Names as people write them: `userName`, `user_name`, `User-Name`.

/// The words of a name, in their order and in small letters: `logIn_user` has `log`, `in` and `user`.
pub fn parts(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    for c in name.chars() {
        let begins = c.is_ascii_uppercase() && before.is_ascii_lowercase();
        if (begins || !c.is_ascii_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Without what people write differently: `username` for each of the above.
pub fn simple(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// A noun in the singular, as [`simple`] writes it.
pub fn singular(noun: &str) -> String {
    let plain: String = noun.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    for (plural, one) in [("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh")] {
        // Not of `ties`.
        if let Some(stem) = plain.strip_suffix(plural).filter(|stem| stem.len() > 1) {
            return format!("{stem}{one}");
        }
    }
    let is_singular = plain.len() < 3 || ["ss", "us", "is"].iter().any(|end| plain.ends_with(end));
    match plain.strip_suffix('s') {
        Some(stem) if !is_singular => stem.to_owned(),
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_in_the_singular() {
        for (noun, one) in [
            ("orders", "order"),
            ("order_items", "orderitem"),
            ("categories", "category"),
            ("ties", "tie"),
            ("addresses", "address"),
            ("boxes", "box"),
            ("bus", "bus"),
            ("analysis", "analysis"),
            ("ids", "id"),
            ("is", "is"),
            ("Größen", "größen"),
        ] {
            assert_eq!(singular(noun), one);
        }
    }
}
