//! Plain English: a sentence has its subject, and the subject is a noun.

use std::path::Path;

use crate::assert_none;
use crate::style::{files, read};

/// A sentence that begins so has no noun for its subject, unless it is a question.
const NO_NOUN: [&str; 5] = ["What", "Who", "Whoever", "Those", "So many"];

/// Words that readers stumble over, and what to say instead.
const RIDDLES: [(&str, &str); 4] = [
    ("See the module", "say what it is"),
    ("made anew", "recreated"),
    ("in force", "active, or in use"),
    ("of use", "useful"),
];

/// A paragraph, and the number of its first line.
type Paragraph = (usize, String);

/// The text of a line of a comment, if it is one.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim_start();
    ["///", "//!", "//"].iter().find_map(|mark| line.strip_prefix(mark))
}

fn trailing_comment(line: &str) -> Option<&str> {
    let at = line.find("   // ").or_else(|| line.find("; // ")).or_else(|| line.find(", // "))?;
    Some(line[at..].split_once("// ")?.1)
}

/// The paragraphs of comments of a program.
fn of_code(text: &str) -> Vec<Paragraph> {
    let mut paragraphs = Vec::new();
    let mut open: Option<Paragraph> = None;
    let mut is_code = false;
    for (number, line) in text.lines().enumerate() {
        match comment(line) {
            Some(text) if text.trim_start().starts_with("```") => is_code = !is_code,
            Some(text) if !is_code && !text.trim().is_empty() => {
                let paragraph = open.get_or_insert((number + 1, String::new()));
                paragraph.1.push(' ');
                paragraph.1.push_str(text.trim());
                continue;
            }
            Some(_) => {}
            None => is_code = false,
        }
        paragraphs.extend(open.take());
        if comment(line).is_none() {
            paragraphs.extend(trailing_comment(line).map(|text| (number + 1, text.to_owned())));
        }
    }
    paragraphs.extend(open);
    paragraphs
}

/// The paragraphs, list items and cells of a Markdown page.
fn of_page(text: &str) -> Vec<Paragraph> {
    let mut paragraphs = Vec::new();
    let mut open: Option<Paragraph> = None;
    let mut is_code = false;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        let is_item = ["- ", "* ", "> ", "1. "].iter().any(|mark| trimmed.starts_with(mark));
        if trimmed.starts_with("```") {
            is_code = !is_code;
            paragraphs.extend(open.take());
        } else if is_code
            || trimmed.is_empty()
            || trimmed.starts_with('#')
            || (line.starts_with("    ") && open.is_none())
        {
            paragraphs.extend(open.take());
        } else if trimmed.starts_with('|') {
            paragraphs.extend(open.take());
            paragraphs.extend(trimmed.split('|').map(|cell| (number + 1, cell.trim().to_owned())));
        } else {
            if is_item {
                paragraphs.extend(open.take());
            }
            let paragraph = open.get_or_insert((number + 1, String::new()));
            paragraph.1.push(' ');
            paragraph.1.push_str(trimmed.trim_start_matches(['-', '*', '>', ' ']));
        }
    }
    paragraphs.extend(open);
    paragraphs
}

/// Sentences with the mark that ends each.
fn sentences(paragraph: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut rest = paragraph.trim();
    while let Some(end) = [". ", "? ", "! "].iter().filter_map(|mark| rest.find(mark)).min() {
        sentences.push(&rest[..=end]);
        rest = rest[end + 1..].trim_start();
    }
    sentences.push(rest);
    sentences
}

fn faults_of(file: &Path, paragraphs: &[Paragraph]) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, paragraph) in paragraphs {
        let at = format!("{}:{number}", file.display());
        for (riddle, plain) in RIDDLES {
            // "of user" is none.
            let mut ends = paragraph.match_indices(riddle).map(|(at, _)| &paragraph[at + riddle.len()..]);
            if ends.any(|rest| !rest.starts_with('r')) {
                faults.push(format!("{at}: \"{riddle}\": {plain}"));
            }
        }
        for sentence in sentences(paragraph) {
            let sentence = sentence.trim_start_matches(['*', '_', '`', '"', '(', ' ']);
            let first =
                |word: &&&str| sentence.strip_prefix(**word).is_some_and(|rest| rest.starts_with([' ', ',']));
            if let Some(word) = NO_NOUN.iter().find(first).filter(|_| !sentence.ends_with('?')) {
                let start: String = sentence.chars().take(60).collect();
                faults.push(format!("{at}: a sentence begins with \"{word}\": {start}"));
            }
        }
    }
    faults
}

#[test]
fn a_sentence_begins_with_its_noun() {
    let mut faults = Vec::new();
    for file in
        files(&["rs", "ts", "tsx", "mjs"]).iter().filter(|file| !file.starts_with("xtask/tests/house"))
    {
        faults.extend(faults_of(file, &of_code(&read(file))));
    }
    for file in files(&["md"]) {
        faults.extend(faults_of(&file, &of_page(&read(&file))));
    }
    assert_none(&faults, "Plain English (CONTRIBUTING.md, \"Language\"):");
}

#[test]
fn a_fault_is_found_wherever_it_stands() {
    let code = "/// The queue.\n/// What waits is sent\n/// later.\n\
        let a = 1;   // Who is there\n// What is it?\n// ok of user";
    let found = |paragraphs: Vec<Paragraph>| faults_of(Path::new("f"), &paragraphs);

    assert_eq!(
        found(of_code(code)),
        [
            "f:1: a sentence begins with \"What\": What waits is sent later.",
            "f:4: a sentence begins with \"Who\": Who is there"
        ]
    );
    let page = "# What it is\n\n- Those who wait\n  wait.\n\n| a | What b |\n\n```\nWhat code\n```\nA key is made anew.";
    assert_eq!(
        found(of_page(page)),
        [
            "f:3: a sentence begins with \"Those\": Those who wait wait.",
            "f:6: a sentence begins with \"What\": What b",
            "f:11: \"made anew\": recreated"
        ]
    );
}
