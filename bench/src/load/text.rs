//! The texts that publishers send: each carries its publisher, its number and its time.
//!
//!
//! The format is `T~`, publisher (3 digits), number (9), nanoseconds (18), then padding. There are only
//! letters and digits, which every protocol carries as they are.

/// The start of every text.
pub(super) const MARK: &[u8] = b"T~";
/// The length of the shortest text.
pub(super) const SHORTEST: usize = MARK.len() + 3 + 9 + 18;

/// The content of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) publisher: usize,
    pub(super) number: u32,
    /// The time of sending, in nanoseconds of the generator's own clock.
    pub(super) at: u64,
}

impl Stamp {
    /// Writes the text, padded to the length of `text`, which is at least [`SHORTEST`].
    pub(super) fn write(self, text: &mut [u8]) {
        text.fill(b'x');
        text[..2].copy_from_slice(MARK);
        put(&mut text[2..5], self.publisher as u64);
        put(&mut text[5..14], u64::from(self.number));
        put(&mut text[14..32], self.at);
    }

    /// Finds and reads a text in a record. In one run the text is nearly always at the same place of a
    /// record, which `place` remembers.
    pub(super) fn read(record: &[u8], place: &mut usize) -> Option<Self> {
        if record.get(*place..*place + 2) != Some(MARK) {
            *place = record.windows(2).position(|w| w == MARK)?;
        }
        let text = record.get(*place..*place + SHORTEST)?;
        Some(Self {
            publisher: usize::try_from(number(&text[2..5])).ok()?,
            number: u32::try_from(number(&text[5..14])).ok()?,
            at: number(&text[14..32]),
        })
    }
}

fn put(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

fn number(digits: &[u8]) -> u64 {
    digits
        .iter()
        .fold(0, |value, digit| value.wrapping_mul(10).wrapping_add(u64::from(digit.wrapping_sub(b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_wherever_it_is() {
        let stamp = Stamp { publisher: 12, number: 345_678, at: 9_876_543_210 };
        let mut text = [0; 100];
        stamp.write(&mut text);
        let mut place = 0;

        for around in ["", "a ", "{\"text\":\""] {
            let record = [around.as_bytes(), &text, b"\"}"].concat();
            assert_eq!(Stamp::read(&record, &mut place), Some(stamp));
            assert_eq!(place, around.len());
        }
        assert_eq!(Stamp::read(b"{\"type\":6}", &mut place), None);
        assert_eq!(Stamp::read(&text[..SHORTEST - 1], &mut place), None);
    }
}
