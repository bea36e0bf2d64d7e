//! The messages of one publisher that one member has received.

/// The place of a message among those that its member has received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    InOrder,
    /// It came after a message that was sent later.
    OutOfOrder,
    Duplicate,
}

/// The record of one member and publisher; kept small, as there is one for each pair.
#[derive(Default)]
pub(super) struct Track {
    next: u32,
    /// Numbers before `next` that have not arrived. Empty unless something goes wrong.
    missing: Vec<u32>,
}

impl Track {
    pub(super) fn see(&mut self, number: u32) -> Verdict {
        if number >= self.next {
            self.missing.extend(self.next..number);
            self.next = number + 1;
            return Verdict::InOrder;
        }
        match self.missing.iter().position(|&missing| missing == number) {
            Some(index) => {
                self.missing.swap_remove(index);
                Verdict::OutOfOrder
            }
            None => Verdict::Duplicate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Duplicate, InOrder, OutOfOrder};
    use super::*;

    #[test]
    fn what_comes_twice_or_late_is_told_apart() {
        let mut track = Track::default();
        let verdicts = [0, 1, 1, 70, 2, 2, 70, 71].map(|number| track.see(number));

        assert_eq!(
            verdicts,
            [InOrder, InOrder, Duplicate, InOrder, OutOfOrder, Duplicate, Duplicate, InOrder]
        );
    }
}
