//! Lists the files of `python/mantlet_inspector`, so that all of them are carried in the binary.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

const PACKAGE: &str = "mantlet_inspector";

fn main() -> Result<(), Box<dyn Error>> {
    let python = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../python").canonicalize()?;
    let package = python.join(PACKAGE);
    // Cargo looks at every file in it.
    println!("cargo::rerun-if-changed={}", package.display());
    let mut files = Vec::new();
    find(&package, &mut files)?;
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        let text = |path: &Path| path.to_str().map(str::to_owned).ok_or("a path is not UTF-8");
        let (name, file) = (text(file.strip_prefix(&python)?)?, text(file)?);
        writeln!(list, "    ({name:?}, include_str!({file:?})),")?;
    }
    list.push_str("]\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("inspector_files.rs"), list)?;
    Ok(())
}

/// The Python files below a folder.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "py") {
            files.push(path);
        }
    }
    Ok(())
}
