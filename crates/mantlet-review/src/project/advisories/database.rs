//! Records on disk: a folder, a ZIP archive as OSV publishes it, or one file of JSON.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Seek},
    path::Path,
};

use serde_json::Value;

use super::{Record, Source, by_name};
use crate::project::files;

/// Bytes of one record; the largest that are published have 2 MiB.
const MAX_RECORD: u64 = 16 << 20;
/// Bytes of one file with many records.
const MAX_FILE: u64 = 1 << 30;
/// Records of a database; all of OSV's about Python are 20,000 and those about harmful packages.
const MAX_RECORDS: usize = 1_000_000;
/// Notes about single records; the rest is counted.
const MAX_NOTES: usize = 20;

/// Records, by package.
#[derive(Debug, Default)]
pub struct Database {
    by_name: BTreeMap<String, Vec<Record>>,
    notes: Vec<String>,
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    records: Vec<Record>,
    seen: usize,
    notes: Vec<String>,
    passed_over: usize,
}

impl Database {
    /// Reads a folder with `*.json`, a `*.zip` with the same, or one JSON file: a record, a list of them, or an
    /// answer of OSV with `vulns`. A record that is broken is a note.
    ///
    /// # Errors
    /// The path cannot be read, or there is not one record in it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let mut reading = Reading::default();
        let kind = fs::metadata(path).map_err(|error| error.to_string())?;
        if kind.is_dir() {
            reading.folder(path, 0);
        } else if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("zip")) {
            let file = fs::File::open(path).map_err(|error| error.to_string())?;
            reading.archive(file)?;
        } else {
            let bytes = files::bytes(path, MAX_FILE)?;
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            reading.file(&name, &bytes);
        }
        if reading.passed_over > 0 {
            reading.notes.push(format!("{} more advisories could not be read", reading.passed_over));
        }
        if reading.seen == 0 {
            return Err(match reading.notes.first() {
                Some(note) => note.clone(),
                None => "there is no advisory in it".to_owned(),
            });
        }
        Ok(Self { by_name: by_name(reading.records), notes: reading.notes })
    }

    /// Records that are in memory already.
    pub fn of(records: Vec<Record>) -> Self {
        Self { by_name: by_name(records), notes: Vec::new() }
    }

    /// How many records about Python packages there are.
    pub fn len(&self) -> usize {
        self.by_name.values().map(Vec::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

impl Source for Database {
    fn query(&self, packages: &[(&str, &str)]) -> Result<Vec<Record>, String> {
        let mut records: Vec<Record> =
            packages.iter().filter_map(|(name, _)| self.by_name.get(*name)).flatten().cloned().collect();
        records.sort_by(|one, other| one.id.cmp(&other.id));
        records.dedup();
        Ok(records)
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

impl Reading {
    fn folder(&mut self, folder: &Path, depth: usize) {
        let Ok(entries) = fs::read_dir(folder) else {
            self.note("a folder of the database", "it cannot be read");
            return;
        };
        let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let Ok(kind) = fs::metadata(&path) else { continue };
            if kind.is_dir() {
                if depth < 8 && !name.starts_with('.') {
                    self.folder(&path, depth + 1);
                }
            } else if path.extension().is_some_and(|end| end == "json") {
                match files::bytes(&path, MAX_RECORD) {
                    Ok(bytes) => self.file(&name, &bytes),
                    Err(why) => self.note(&name, &why),
                }
            } else if path.extension().is_some_and(|end| end == "zip") {
                let read = fs::File::open(&path)
                    .map_err(|error| error.to_string())
                    .and_then(|file| self.archive(file));
                if let Err(why) = read {
                    self.note(&name, &why);
                }
            }
        }
    }

    fn archive(&mut self, file: impl std::io::Read + Seek) -> Result<(), String> {
        let mut archive = zip::ZipArchive::new(file)
            .map_err(|error| format!("it is not a ZIP archive that can be read: {error}"))?;
        for at in 0..archive.len() {
            let mut entry = match archive.by_index(at) {
                Ok(entry) => entry,
                Err(error) => {
                    self.note(&format!("entry {at}"), &error.to_string());
                    continue;
                }
            };
            let name = entry.name().map_or_else(|_| format!("entry {at}"), std::borrow::Cow::into_owned);
            if !entry.is_file() || Path::new(&name).extension().is_none_or(|end| end != "json") {
                continue;
            }
            let mut bytes = Vec::new();
            match entry.by_ref().take(MAX_RECORD + 1).read_to_end(&mut bytes) {
                Ok(_) if bytes.len() as u64 > MAX_RECORD => self.note(&name, "it is too large"),
                Ok(_) => self.file(&name, &bytes),
                Err(error) => self.note(&name, &error.to_string()),
            }
        }
        Ok(())
    }

    fn file(&mut self, name: &str, bytes: &[u8]) {
        let value: Value = match serde_json::from_slice(bytes) {
            Ok(value) => value,
            Err(error) => return self.note(name, &format!("it is not valid JSON: {error}")),
        };
        let list = match &value {
            Value::Array(list) => list.as_slice(),
            Value::Object(object) => match object.get("vulns") {
                Some(Value::Array(list)) => list.as_slice(),
                _ => std::slice::from_ref(&value),
            },
            _ => return self.note(name, "it is neither a record nor a list of records"),
        };
        for (at, record) in list.iter().enumerate() {
            if self.seen >= MAX_RECORDS {
                return self.note(name, "there are too many records");
            }
            match Record::read(record) {
                Ok(record) => {
                    self.seen += 1;
                    if !record.affected.is_empty() {
                        self.records.push(record);
                    }
                }
                Err(why) if list.len() > 1 => {
                    let id = record
                        .get("id")
                        .and_then(Value::as_str)
                        .map_or_else(|| format!("record {}", at + 1), str::to_owned);
                    self.note(&format!("{name}: {id}"), &why);
                }
                Err(why) => self.note(name, &why),
            }
        }
    }

    fn note(&mut self, name: &str, why: &str) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(format!("advisory `{name}` was passed over: {why}"));
        } else {
            self.passed_over += 1;
        }
    }
}
