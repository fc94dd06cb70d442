//! Files that are refused as a whole.

use super::*;

#[test]
fn a_file_that_cannot_be_read_is_a_mistake() {
    let utf16: Vec<u8> = "\u{FEFF}a = 1".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let large = vec![b'\n'; 4 * 1024 * 1024 + 1];
    let rows: &[(&[u8], &str)] = &[
        (
            b"workers = 1\na = 'x\xFF'",
            "mantlet.toml:2: this is not UTF-8 (column 7)\n  save the file as UTF-8",
        ),
        (&utf16, "cannot read `mantlet.toml`: it is encoded as UTF-16\n  save the file as UTF-8"),
        (&large, "cannot read `mantlet.toml`: it is larger than 4 MiB"),
    ];
    for (bytes, expected) in rows {
        assert_mistakes(&Given { own: Some(bytes), ..Given::default() }, expected);
    }

    let explicit = Some(("pyproject.toml", "[tool.other]"));
    let expected = "`pyproject.toml` has no table `[tool.mantlet]`";
    assert_mistakes(&Given { explicit, ..Given::default() }, expected);

    let python = Given { pyproject: Some("[tool]\nmantlet = 1"), ..Given::default() };
    assert_mistakes(&python, "pyproject.toml:2: tool.mantlet: expected a table");
    let broken = Given { pyproject: Some("[tool.mantlet\n"), ..Given::default() };
    assert_mistakes(&broken, "pyproject.toml:1: unclosed table, expected `]` (column 14)");
}

#[test]
fn a_path_that_is_no_file_is_a_mistake() {
    let folder = TempDir::new().unwrap();
    let own = folder.path().join("mantlet.toml");
    let message_with = |explicit_file: Option<PathBuf>| {
        let sources = Sources {
            explicit_file,
            folder: folder.path(),
            environment: Vec::new(),
            ignored_variables: &[],
            adopted: Vec::new(),
            flags: Vec::new(),
        };
        load::<Sample>(&sources).expect_err("there is no file").to_string()
    };
    assert_eq!(message_with(Some("no/such.toml".into())), "there is no file `no/such.toml`");

    std::os::unix::fs::symlink("nowhere", &own).unwrap();
    let expected = "cannot read `mantlet.toml`: it is a link to a file that does not exist";
    assert_eq!(message_with(None), expected);

    fs::remove_file(&own).unwrap();
    fs::create_dir(&own).unwrap();
    assert_eq!(message_with(None), "cannot read `mantlet.toml`: is a directory");
}
