//! Names that users choose, of rooms and of themselves, and names that their programs choose, of groups and
//! messages.

use std::fmt;

/// The most characters of a name.
pub const MAX_CHARS: usize = 64;

/// The reason why a name is not accepted; `{0}` is the kind of name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name has no characters.
    #[error("The {0} is empty; it needs 1 to {MAX_CHARS} characters.")]
    Empty(&'static str),
    /// The name has too many characters.
    #[error("The {0} is longer than {MAX_CHARS} characters.")]
    TooLong(&'static str),
    /// The name has an invisible character, such as a line break.
    #[error("The {0} contains a control character, such as a line break.")]
    Control(&'static str),
}

fn check(what: &'static str, name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty(what));
    }
    if name.chars().nth(MAX_CHARS).is_some() {
        return Err(NameError::TooLong(what));
    }
    if name.chars().any(char::is_control) {
        return Err(NameError::Control(what));
    }
    Ok(())
}

/// The name of a room: 1 to 64 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct RoomName(String);

impl RoomName {
    /// # Errors
    /// A [`NameError`] for the client.
    pub fn new(name: String) -> Result<Self, NameError> {
        check("room", &name)?;
        Ok(Self(name))
    }

    /// The name as the client gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for RoomName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a group: 1 to 64 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupName(String);

impl GroupName {
    /// # Errors
    /// A [`NameError`] for the client.
    pub fn new(name: String) -> Result<Self, NameError> {
        check("group", &name)?;
        Ok(Self(name))
    }

    /// The name as the client gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a member in a room: 1 to 64 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberName(String);

impl MemberName {
    /// # Errors
    /// A [`NameError`] for the client.
    pub fn new(name: String) -> Result<Self, NameError> {
        check("name", &name)?;
        Ok(Self(name))
    }

    /// The name as the client gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for MemberName {
    /// The name of members that give none.
    fn default() -> Self {
        Self("guest".into())
    }
}

/// An id by which a client tells its messages apart: 1 to 64 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Nonce(String);

impl Nonce {
    /// # Errors
    /// A [`NameError`] for the client.
    pub fn new(nonce: String) -> Result<Self, NameError> {
        check("nonce", &nonce)?;
        Ok(Self(nonce))
    }

    /// The nonce as the client gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nonce as the client gave it.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl TryFrom<String> for Nonce {
    type Error = NameError;

    fn try_from(nonce: String) -> Result<Self, NameError> {
        Self::new(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_counted_in_characters_and_not_in_bytes() {
        assert!(RoomName::new("ü".repeat(64)).is_ok());
        assert_eq!(RoomName::new("ü".repeat(65)), Err(NameError::TooLong("room")));
    }

    #[test]
    fn a_name_is_neither_empty_nor_invisible() {
        assert_eq!(RoomName::new(String::new()), Err(NameError::Empty("room")));
        assert_eq!(MemberName::new("a\nb".into()), Err(NameError::Control("name")));
        assert_eq!(MemberName::new("a\u{9b}b".into()), Err(NameError::Control("name")));
    }
}
