//! One style: where module files and unit tests stand, how wide comments are, and how long the names of
//! fields.

use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use crate::{assert_none, root};

/// The most columns of a line with a comment, as `rustfmt.toml` has it for code.
const MOST_COLUMNS: usize = 110;

/// Folders that hold no source of ours.
const FOREIGN: [&str; 7] = [".git", "target", "node_modules", "dist", "previous", ".venv", "__pycache__"];

/// The files below `folder` with one of these endings, as paths from the root of the repository.
pub(crate) fn files(endings: &[&str]) -> Vec<PathBuf> {
    fn walk(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder can be read").flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if !FOREIGN.iter().any(|foreign| name == *foreign) {
                    walk(&path, endings, found);
                }
            } else if path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)) {
                found.push(path.strip_prefix(root()).expect("it is below the root").to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), endings, &mut found);
    found.sort();
    found
}

pub(crate) fn read(file: &Path) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn a_module_with_children_is_a_mod_rs_in_their_folder() {
    let mut faults = Vec::new();
    for file in files(&["rs"]) {
        // Cargo gives the files of `tests/` and `src/bin/` no modules below.
        if root().join(file.with_extension("")).is_dir() && !file.ends_with("build.rs") {
            faults.push(format!(
                "{}: move it to {}/mod.rs",
                file.display(),
                file.with_extension("").display()
            ));
        }
    }
    assert_none(&faults, "A module with children is FOLDER/mod.rs:");
}

#[test]
fn unit_tests_stand_at_the_end_of_their_file_or_in_tests_rs() {
    let mut faults = Vec::new();
    for file in files(&["rs"]) {
        let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if name.ends_with("_tests") || name.ends_with("_test") || name.starts_with("test_") {
            faults.push(format!("{}: call it tests.rs, in the folder of what it tests", file.display()));
        }
        for (number, line) in read(&file).lines().enumerate() {
            if line.trim_start().starts_with("#[path") {
                faults.push(format!(
                    "{}:{}: a module stands where its name says",
                    file.display(),
                    number + 1
                ));
            }
        }
    }
    assert_none(
        &faults,
        "Unit tests are `mod tests {}` at the end of a file, or `tests.rs` beside `mod.rs`:",
    );
}

#[test]
fn comments_are_no_wider_than_code() {
    let mut faults = Vec::new();
    for file in files(&["rs"]) {
        for (number, line) in read(&file).lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//") || line.contains("   // ");
            if is_comment && line.chars().count() > MOST_COLUMNS && !line.contains("https://") {
                faults.push(format!("{}:{}: {} columns", file.display(), number + 1, line.chars().count()));
            }
        }
    }
    assert_none(&faults, &format!("A line with a comment has at most {MOST_COLUMNS} columns:"));
}

/// Collects fields whose name is one letter.
struct Letters(Vec<String>);

impl<'a> Visit<'a> for Letters {
    fn visit_field(&mut self, field: &'a syn::Field) {
        self.0.extend(field.ident.as_ref().map(ToString::to_string).filter(|name| name.len() == 1));
        visit::visit_field(self, field);
    }
}

#[test]
fn no_field_is_called_by_one_letter() {
    let mut faults = Vec::new();
    for file in files(&["rs"]) {
        let syntax =
            syn::parse_file(&read(&file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut letters = Letters(Vec::new());
        letters.visit_file(&syntax);
        faults.extend(letters.0.iter().map(|name| format!("{}: `{name}`", file.display())));
    }
    assert_none(&faults, "A field has a name; serde's `rename` gives it the letter that is sent:");
}
