//! Builds the page in `web/` with npm, and writes a table of its files for `src/page.rs` to include.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The sources of the page; everything else in `web/` is built from them.
const SOURCES: [&str; 7] =
    ["src", "public", "index.html", "vite.config.ts", "tsconfig.json", "package.json", "package-lock.json"];

fn main() {
    if let Err(why) = build() {
        for line in why.lines() {
            println!("cargo::error={line}");
        }
    }
}

fn build() -> Result<(), String> {
    let web = PathBuf::from(env("CARGO_MANIFEST_DIR")?).join("web");
    let out = PathBuf::from(env("OUT_DIR")?);
    let page = out.join("page");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", web.join(source).display());
    }
    install(&web)?;
    let page_text = page.to_str().ok_or("the build folder's name is not UTF-8")?;
    npm(&web, &["run", "build", "--", "--outDir", page_text, "--emptyOutDir", "--logLevel", "warn"])?;
    let table = table(&page).map_err(|error| format!("cannot read the page that was built: {error}"))?;
    fs::write(out.join("assets.rs"), table).map_err(|error| format!("cannot write assets.rs: {error}"))
}

fn env(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|error| format!("{name}: {error}; run this through cargo"))
}

/// Installs what `package-lock.json` says, unless that was done since it changed.
fn install(web: &Path) -> Result<(), String> {
    let lock_path = web.join("package-lock.json");
    let lock = File::open(&lock_path).map_err(|error| format!("{}: {error}", lock_path.display()))?;
    // Two builds with different target folders share this one; only one of them may install.
    lock.lock().map_err(|error| format!("cannot lock {}: {error}", lock_path.display()))?;
    if changed(&web.join("node_modules/.package-lock.json")) < changed(&lock_path) {
        npm(web, &["ci", "--no-audit", "--no-fund"])?;
    }
    Ok(())
}

/// When a file was last written; a missing one, before all others.
fn changed(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn npm(web: &Path, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("npm").args(arguments).current_dir(web).output().map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            "npm is missing: the hub's page is built with it; install Node.js 20.19 or later with npm".into()
        } else {
            format!("cannot run npm: {error}")
        }
    })?;
    if output.status.success() {
        return Ok(());
    }
    let (told, warned) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("npm {} failed in {}:\n{told}{warned}", arguments.join(" "), web.display()))
}

/// `static ASSETS`, each file with its path on the hub and its media type.
fn table(page: &Path) -> std::io::Result<String> {
    let mut files = Vec::new();
    collect(page, &mut files)?;
    files.sort();
    let mut table = String::from("static ASSETS: &[Asset] = &[\n");
    for file in files {
        let name =
            file.strip_prefix(page).expect("it is below the page").to_string_lossy().replace('\\', "/");
        let path = if name == "index.html" { "/".to_owned() } else { format!("/{name}") };
        let (media_type, file) = (media_type(&name), file.to_string_lossy());
        let _ = writeln!(
            table,
            "Asset {{ path: {path:?}, media_type: {media_type:?}, content: include_bytes!({file:?}) }},"
        );
    }
    table.push_str("];\n");
    Ok(table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
