//! The token for hubs with `hub.auth`. It comes from a file, because arguments show in the list of processes.

use std::path::{Path, PathBuf};

use http::HeaderValue;

use crate::fault::Fault;

/// A token and the file that it comes from. `{:?}` never shows the token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    file: PathBuf,
    header: HeaderValue,
}

impl Token {
    /// Reads a file that contains a token and nothing else. White space around it, as editors leave it, is
    /// ignored.
    pub(super) fn read(file: &Path) -> Result<Self, Fault> {
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|e| Fault::failed(format!("read the token in {shown}"), e))?;
        let header = header(text.trim()).ok_or_else(|| {
            Fault::Refused(format!("{shown} has to have one token (JWT) in it, and nothing else"))
        })?;
        Ok(Self { file: file.to_owned(), header })
    }

    #[cfg(test)]
    pub(super) fn of(token: &str) -> Self {
        Self { file: "token".into(), header: header(token).expect("a token") }
    }

    /// The value of the header `Authorization` (RFC 6750, 2.1).
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// The file that it comes from.
    pub(super) fn file(&self) -> std::path::Display<'_> {
        self.file.display()
    }
}

fn header(token: &str) -> Option<HeaderValue> {
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let mut header = HeaderValue::try_from(format!("Bearer {token}")).ok().filter(|_| is_token)?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Token, Fault> {
        let file = std::env::temp_dir().join(format!("kubectl-chat-token-{name}-{}", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let token = Token::read(&file);
        std::fs::remove_file(&file).unwrap();
        token
    }

    #[test]
    fn a_token_is_read_without_the_line_break_that_editors_add_and_never_shown() {
        let token = read("good", " eyJhbGci.eyJz.c2ln\r\n").unwrap();

        assert_eq!(token.header(), "Bearer eyJhbGci.eyJz.c2ln");
        assert!(!format!("{token:?}").contains("eyJ"), "{token:?}");
    }

    #[test]
    fn a_file_that_is_missing_or_has_something_else_is_refused_without_showing_it() {
        for (name, text) in [("empty", " \n"), ("two", "eyJh eyJi\n"), ("json", "{\"token\": \"eyJh\"}")] {
            let fault = read(name, text).unwrap_err().to_string();
            assert!(fault.contains("has to have one token") && !fault.contains("eyJ"), "{fault}");
        }
        let fault = Token::read(Path::new("/nowhere/token")).unwrap_err().to_string();
        assert!(fault.starts_with("cannot read the token in /nowhere/token: "), "{fault}");
    }
}
