//! A list of what the app is made of, in the format of `CycloneDX` 1.6.
//!
//! It says what the locks say and nothing more: neither licences nor times are in them. The serial number is
//! derived from the content, so that the same locks give the same bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Project,
    locks::{self, Locked, Origin},
};

/// The list, of all locks of a project.
pub(super) fn sbom(project: &Project) -> Value {
    let all = locks::read(project, &mut Vec::new());
    let mut components = BTreeMap::<String, Value>::new();
    let mut edges = BTreeMap::<String, BTreeSet<String>>::new();
    for dependencies in &all {
        for lock in &dependencies.locks {
            let is_part = |package: &&Locked| !matches!(package.origin, Origin::Folder(_));
            let mut purls = BTreeMap::<&str, Vec<String>>::new();
            for package in lock.packages.iter().filter(is_part) {
                purls.entry(&package.name).or_default().push(purl(package));
            }
            for package in lock.packages.iter().filter(is_part) {
                let purl = purl(package);
                components.insert(purl.clone(), component(package, &purl));
                let on = package
                    .dependencies
                    .iter()
                    .filter_map(|(name, _)| purls.get(name.as_str()))
                    .flatten()
                    .cloned();
                edges.entry(purl).or_default().extend(on);
            }
            let direct =
                dependencies.manifest.requirements.iter().filter_map(|(_, one)| purls.get(one.name.as_str()));
            edges.entry(ROOT.to_owned()).or_default().extend(direct.flatten().cloned());
        }
    }
    let first = all.first().map(|dependencies| &dependencies.manifest);
    let mut app = json!({
        "type": "application",
        "bom-ref": ROOT,
        "name": first.and_then(|manifest| manifest.name.clone()).unwrap_or_else(|| "app".to_owned()),
    });
    if let (Some(version), Some(app)) =
        (first.and_then(|manifest| manifest.version.clone()), app.as_object_mut())
    {
        app.insert("version".to_owned(), version.into());
    }
    edges.entry(ROOT.to_owned()).or_default();
    let dependencies: Vec<Value> =
        edges.into_iter().map(|(of, on)| json!({ "ref": of, "dependsOn": on })).collect();
    let mut bom = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": { "components": [{ "type": "application", "name": "mantlet" }] },
            "component": app,
        },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies,
    });
    let serial = serial(&bom);
    if let Some(bom) = bom.as_object_mut() {
        bom.insert("serialNumber".to_owned(), serial.into());
    }
    bom
}

const ROOT: &str = "app";

/// The name by which tools know a package: `pkg:pypi/fastapi@0.121.0`.
fn purl(package: &Locked) -> String {
    let mut purl = format!("pkg:pypi/{}", encoded(&package.name));
    if let Some(version) = &package.version {
        let _ = write!(purl, "@{}", encoded(version));
    }
    if let Origin::Url(url) = &package.origin {
        let key = if url.contains("git") { "vcs_url" } else { "download_url" };
        let _ = write!(purl, "?{key}={}", encoded(url));
    }
    purl
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn component(package: &Locked, purl: &str) -> Value {
    let mut component = json!({ "type": "library", "bom-ref": purl, "name": package.name, "purl": purl });
    let Some(fields) = component.as_object_mut() else { return component };
    if let Some(version) = &package.version {
        fields.insert("version".to_owned(), version.clone().into());
    }
    let mut hashes = BTreeSet::new();
    let mut files = BTreeMap::<&str, BTreeSet<(&str, &str)>>::new();
    for artifact in &package.artifacts {
        let Some(algorithm) = algorithm(&artifact.digest) else { continue };
        match &artifact.url {
            Some(url) if url.contains("://") => {
                files.entry(url).or_default().insert((algorithm, &artifact.digest.1));
            }
            _ => {
                hashes.insert((algorithm, artifact.digest.1.as_str()));
            }
        }
    }
    let written = |hashes: &BTreeSet<(&str, &str)>| -> Vec<Value> {
        hashes.iter().map(|(algorithm, digest)| json!({ "alg": algorithm, "content": digest })).collect()
    };
    if !hashes.is_empty() {
        fields.insert("hashes".to_owned(), written(&hashes).into());
    }
    if !files.is_empty() {
        let files: Vec<Value> = files
            .iter()
            .map(|(url, hashes)| json!({ "type": "distribution", "url": url, "hashes": written(hashes) }))
            .collect();
        fields.insert("externalReferences".to_owned(), files.into());
    }
    component
}

/// The name of an algorithm in `CycloneDX`, if the digest is one of it.
fn algorithm((algorithm, digest): &(String, String)) -> Option<&'static str> {
    let (name, length) = match algorithm.as_str() {
        "md5" => ("MD5", 32),
        "sha1" => ("SHA-1", 40),
        "sha256" => ("SHA-256", 64),
        "sha384" => ("SHA-384", 96),
        "sha512" => ("SHA-512", 128),
        _ => return None,
    };
    (digest.len() == length && digest.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(name)
}

/// A UUID of the kind whose content is free (RFC 9562, version 8), made of a digest.
fn serial(bom: &Value) -> String {
    let digest = Sha256::digest(bom.to_string());
    let mut bytes = [0_u8; 16];
    for (into, from) in bytes.iter_mut().zip(digest) {
        *into = from;
    }
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::from("urn:uuid:");
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}
