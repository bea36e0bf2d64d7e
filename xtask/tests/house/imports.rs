//! Which file imports which. A name counts for the file that defines it, also where another one passes it on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::crates::{CRATES, Crate};
use crate::source::{ItemPath, Source};
use crate::{assert_none, root};

/// The imports of a crate: from file to file, each with a name that it imports.
type Imports = BTreeMap<PathBuf, BTreeMap<PathBuf, String>>;

/// The longest chain of files that pass a name on.
const MOST_HOPS: usize = 16;

/// A module in one of a crate's files that names another module's item.
struct Import {
    from: ItemPath,
    to: ItemPath,
    name: String,
}

/// Finds the module that defines what `path` names, as seen from `module`; `None` for other crates' names.
fn resolve(source: &Source, module: &[String], path: &[String], hops: usize) -> Option<ItemPath> {
    if hops > MOST_HOPS {
        return None;
    }
    let (first, rest) = path.split_first()?;
    let mut current: ItemPath = module.to_vec();
    let mut rest = rest;
    match first.as_str() {
        "crate" => current.clear(),
        "self" => {}
        "super" => {
            current.pop()?;
            while let Some((next, after)) = rest.split_first().filter(|(next, _)| *next == "super") {
                debug_assert_eq!(next, "super");
                current.pop()?;
                rest = after;
            }
        }
        name => {
            let here = &source.modules[module];
            if source.modules.contains_key(&child(module, name)) || here.defines.contains(name) {
                rest = path;
            } else {
                let used = here.uses.get(name)?;
                if used.first().map(String::as_str) == Some(name) {
                    return None; // another crate's
                }
                let path = [used.as_slice(), rest].concat();
                return resolve(source, module, &path, hops + 1);
            }
        }
    }
    while let Some((name, after)) = rest.split_first() {
        let below = child(&current, name);
        if source.modules.contains_key(&below) {
            current = below;
            rest = after;
            continue;
        }
        let here = source.modules.get(&current)?;
        if here.defines.contains(name) {
            return Some(current);
        }
        if let Some(used) = here.uses.get(name) {
            let path = [used.as_slice(), after].concat();
            return resolve(source, &current, &path, hops + 1);
        }
        let mut through = here.globs.iter().filter_map(|glob| {
            let path = [glob.as_slice(), rest].concat();
            resolve(source, &current, &path, hops + 1)
                .filter(|found| source.modules[found].defines.contains(name))
        });
        return through.next_back().or(Some(current));
    }
    Some(current)
}

fn child(module: &[String], name: &str) -> ItemPath {
    [module, &[name.to_owned()]].concat()
}

fn imports(source: &Source) -> Vec<Import> {
    let mut imports = Vec::new();
    for (from, module) in &source.modules {
        let globs = module.globs.iter();
        for name in module.names.iter().chain(globs) {
            if let Some(to) = resolve(source, from, name, 0) {
                imports.push(Import { from: from.clone(), to, name: name.join("::") });
            }
        }
    }
    imports
}

fn by_file(source: &Source) -> Imports {
    let mut by_file = Imports::new();
    for Import { from, to, name } in imports(source) {
        let (Some(from), Some(to)) = (source.file(&from), source.file(&to)) else { continue };
        if from != to {
            by_file.entry(from.to_owned()).or_default().entry(to.to_owned()).or_insert(name);
        }
    }
    by_file
}

/// The files that import each other, directly or round about, in groups.
fn circles(imports: &Imports) -> Vec<BTreeSet<PathBuf>> {
    let reached = |from: &PathBuf| {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(file) = open.pop() {
            for next in imports.get(file).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        reached
    };
    let reached: BTreeMap<_, _> = imports.keys().map(|file| (file, reached(file))).collect();
    let mut circles = BTreeSet::new();
    for (file, others) in &reached {
        let circle: BTreeSet<_> = others
            .iter()
            .filter(|other| reached.get(other).is_some_and(|back| back.contains(*file)))
            .cloned()
            .collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn circles_of(package: &Crate) -> Vec<String> {
    let imports = by_file(&Source::read(&root().join(package.root)));
    let mut faults = Vec::new();
    for circle in circles(&imports) {
        faults.push(format!("{}: {} files import each other:", package.root, circle.len()));
        for from in &circle {
            for (to, name) in imports[from].iter().filter(|(to, _)| circle.contains(*to)) {
                faults.push(format!("    {} -> {}: {name}", from.display(), to.display()));
            }
        }
    }
    faults
}

fn climbs_of(package: &Crate) -> Vec<String> {
    let source = Source::read(&root().join(package.root));
    let floor =
        |module: &str| package.floors.iter().position(|floor| floor.split(' ').any(|name| name == module));
    let mut faults = Vec::new();
    let modules: BTreeSet<_> =
        source.modules.keys().filter(|path| path.len() == 1).map(|path| path[0].as_str()).collect();
    for module in &modules {
        if floor(module).is_none() {
            faults.push(format!("{}: the module `{module}` has no floor", package.root));
        }
    }
    for name in package.floors.iter().flat_map(|floor| floor.split(' ')) {
        if !modules.contains(name) {
            faults.push(format!("{}: there is no module `{name}`", package.root));
        }
    }
    let mut told = BTreeSet::new();
    for Import { from, to, name } in imports(&source) {
        // The crate's root stands above all floors.
        let Some(from) = from.first() else { continue };
        let is_upwards = match to.first() {
            None => true,
            Some(to) => from != to && floor(to) >= floor(from),
        };
        if is_upwards && told.insert((from.clone(), to.first().cloned())) {
            let to = to.first().map_or("the crate's root", String::as_str);
            faults
                .push(format!("{}: `{from}` imports {name} of `{to}`, which stands no lower", package.root));
        }
    }
    faults
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let faults: Vec<_> = CRATES.iter().flat_map(circles_of).collect();
    assert_none(
        &faults,
        "Files that import each other are one file in several places. Move what both need to a file below them:",
    );
}

#[test]
fn modules_import_from_lower_floors_only() {
    let faults: Vec<_> = CRATES.iter().flat_map(climbs_of).collect();
    assert_none(&faults, "A module imports from the floors below its own (xtask/tests/house/crates.rs):");
}

#[test]
fn every_crate_of_the_workspace_has_its_floors() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("the workspace has a manifest");
    let members =
        manifest.lines().find(|line| line.starts_with("members")).expect("the workspace has members");
    let mut faults = Vec::new();
    for member in members.split('"').skip(1).step_by(2) {
        let folder = if member == "." { "src/".to_owned() } else { format!("{member}/src/") };
        if !CRATES.iter().any(|package| package.root.starts_with(&folder)) {
            faults.push(folder);
        }
    }
    assert_none(&faults, "These are missing in xtask/tests/house/crates.rs:");
}

mod tests {
    use super::*;
    use std::fs;

    /// A crate of these files, in a folder that is removed at the end.
    fn with_crate(name: &str, files: &[(&str, &str)], check: impl FnOnce(Source)) {
        let folder = std::env::temp_dir().join(format!("house-{name}-{}", std::process::id()));
        for (file, text) in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().expect("a file stands in a folder"))
                .expect("a folder can be made");
            fs::write(path, text).expect("a file can be written");
        }
        check(Source::read(&folder.join("lib.rs")));
        fs::remove_dir_all(&folder).expect("the folder can be removed");
    }

    fn circles_in(source: &Source) -> Vec<Vec<String>> {
        let names =
            |circle: BTreeSet<PathBuf>| circle.iter().map(|file| file.display().to_string()).collect();
        circles(&by_file(source)).into_iter().map(names).collect()
    }

    #[test]
    fn a_circle_is_found_through_a_name_that_is_passed_on() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod inner; pub use self::inner::A;"),
            ("a/inner.rs", "pub struct A(crate::b::B);"),
            ("b.rs", "use crate::a::A; pub struct B(Box<A>);"),
        ];
        with_crate("passed-on", &files, |source| {
            assert_eq!(circles_in(&source), [["a/inner.rs", "b.rs"]]);
        });
    }

    #[test]
    fn a_circle_is_found_within_macros_and_through_globs_and_imported_modules() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "pub fn a() { println!(\"{}\", crate::b::b()); }"),
            ("b.rs", "use crate::c; pub fn b() -> u8 { c::c() }"),
            ("c.rs", "use crate::a::*; pub fn c() -> u8 { a(); 1 }"),
        ];
        with_crate("macros", &files, |source| {
            assert_eq!(circles_in(&source), [["a.rs", "b.rs", "c.rs"]]);
        });
    }

    #[test]
    fn unit_tests_do_not_count() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "pub struct A; #[cfg(test)] mod tests { use crate::b::B; }"),
            ("b.rs", "use crate::a::A; pub struct B(A); #[cfg(test)] use crate::b;"),
        ];
        with_crate("tests", &files, |source| assert!(circles_in(&source).is_empty()));
    }

    #[test]
    fn a_parent_and_a_child_that_use_each_other_are_a_circle() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod b; pub struct A; pub use b::B;"),
            ("a/b.rs", "use super::A; pub struct B(A);"),
        ];
        with_crate("parent", &files, |source| {
            assert_eq!(circles_in(&source), [["a/b.rs", "a/mod.rs"]]);
        });
    }
}
