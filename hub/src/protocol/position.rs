//! The position of a message in its room.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A message's id, `<epoch>-<number>`. Within an epoch, each message's number is one more than that of the
/// message before. A different epoch means that the room's history was restarted; epochs do not tell which of
/// two messages is older.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The time when the history began, in milliseconds since 1970.
    pub epoch: u64,
    /// The number within the epoch; 1 for the first message.
    pub number: u64,
}

impl Position {
    /// The position of the next message.
    #[must_use]
    pub fn next(self) -> Self {
        Self { number: self.number.saturating_add(1), ..self }
    }
}

/// An error: the text is not the id of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no id of a message")]
pub struct NoPosition;

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let digits = |part: &str| {
            let all = part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| all).ok_or(NoPosition)
        };
        let (epoch, number) = text.split_once('-').ok_or(NoPosition)?;
        Ok(Self { epoch: digits(epoch)?, number: digits(number)? })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_two_numbers_and_nothing_else() {
        assert_eq!("17-3".parse(), Ok(Position { epoch: 17, number: 3 }));
        assert_eq!(Position { epoch: 17, number: 3 }.to_string(), "17-3");
        for text in ["", "17", "-", "17-", "-3", "+17-3", "17-3-4", "17-*", "99999999999999999999-1"] {
            assert_eq!(text.parse::<Position>(), Err(NoPosition), "{text}");
        }
    }
}
