//! The modules of a crate as its `mod` declarations make them, and what each file defines and names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// The path of a module or item from the crate's root, such as `["rooms", "members", "Member"]`.
pub(crate) type ItemPath = Vec<String>;

/// A crate without its unit tests.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Every module, also those written inside of a file, by its path.
    pub(crate) modules: BTreeMap<ItemPath, Module>,
}

/// One module.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// The file that it stands in, relative to the folder of the crate's root file.
    pub(crate) file: PathBuf,
    /// The names of the items that it defines.
    pub(crate) defines: BTreeSet<String>,
    /// The names that its `use` declarations bring in, and the absolute or relative path of each.
    pub(crate) uses: BTreeMap<String, Vec<String>>,
    /// The modules that it imports everything from.
    pub(crate) globs: Vec<Vec<String>>,
    /// Every path with more than one segment that its code names, those of its `use` declarations among them.
    pub(crate) names: BTreeSet<Vec<String>>,
}

impl Source {
    /// Reads the crate whose root is `file`, `main.rs` or `lib.rs`.
    pub(crate) fn read(file: &Path) -> Self {
        let folder = file.parent().expect("a file stands in a folder");
        let mut source = Self::default();
        source.read_file(folder, file, Vec::new());
        source
    }

    fn read_file(&mut self, root: &Path, file: &Path, path: ItemPath) {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let is_folder_s = file
            .file_name()
            .is_some_and(|name| ["mod.rs", "lib.rs", "main.rs"].iter().any(|own| name == *own));
        let folder = if is_folder_s {
            file.parent().expect("a file stands in a folder").to_owned()
        } else {
            file.with_extension("")
        };
        self.read_items(root, file, &folder, path, &syntax.items);
    }

    fn read_items(&mut self, root: &Path, file: &Path, folder: &Path, path: ItemPath, items: &[syn::Item]) {
        let relative = file.strip_prefix(root).expect("a module stands below its crate's root").to_owned();
        let mut module = Module { file: relative, ..Module::default() };
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            if let Some(name) = name(item) {
                module.defines.insert(name);
            }
            if let syn::Item::Mod(inner) = item {
                let name = inner.ident.to_string();
                let inner_path = [path.clone(), vec![name.clone()]].concat();
                if let Some((_, items)) = &inner.content {
                    self.read_items(root, file, &folder.join(&name), inner_path, items);
                } else {
                    let flat = folder.join(format!("{name}.rs"));
                    let file = if flat.exists() { flat } else { folder.join(&name).join("mod.rs") };
                    self.read_file(root, &file, inner_path);
                }
            } else {
                Names(&mut module).visit_item(item);
            }
        }
        self.modules.insert(path, module);
    }

    /// The file of a module.
    pub(crate) fn file(&self, module: &[String]) -> Option<&Path> {
        self.modules.get(module).map(|module| module.file.as_path())
    }
}

/// Collects what the code of a module names.
struct Names<'a>(&'a mut Module);

impl Names<'_> {
    fn take(&mut self, path: Vec<String>) {
        if path.len() > 1 {
            self.0.names.insert(path);
        }
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) if name.ident == "self" => {
                self.import(before.last().cloned(), before.to_vec());
            }
            syn::UseTree::Name(name) => self.import(Some(name.ident.to_string()), with(&name.ident)),
            syn::UseTree::Rename(rename) => {
                let path = if rename.ident == "self" { before.to_vec() } else { with(&rename.ident) };
                self.import(Some(rename.rename.to_string()), path);
            }
            syn::UseTree::Glob(_) => self.0.globs.push(before.to_vec()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree)),
        }
    }

    fn import(&mut self, name: Option<String>, path: Vec<String>) {
        if let Some(name) = name {
            self.0.uses.insert(name, path.clone());
        }
        self.0.names.insert(path);
    }

    /// Paths within the arguments of macros, which are tokens only.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.take(std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.take(std::mem::take(&mut path));
                    self.tokens(group.stream());
                    colons = 0;
                }
                _ => {
                    self.take(std::mem::take(&mut path));
                    colons = 0;
                }
            }
        }
        self.take(path);
    }
}

impl<'a> Visit<'a> for Names<'_> {
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.tree(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        self.take(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, makro: &'a syn::Macro) {
        self.tokens(makro.tokens.clone());
        visit::visit_macro(self, makro);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }
}

/// Whether an item exists in unit tests, or in documentation, only.
pub(crate) fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        attribute.path().is_ident("cfg") && ["test", "doc"].contains(&list.tokens.to_string().as_str())
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name(item: &syn::Item) -> Option<String> {
    let name = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Macro(item) => item.ident.as_ref()?,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}
