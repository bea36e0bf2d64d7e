//! The messages of one publisher, as one member got them.

/// What a message is to its member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    InOrder,
    /// After one that was said later.
    OutOfOrder,
    Duplicate,
}

/// Small, for there is one for each member and publisher.
#[derive(Default)]
pub(super) struct Track {
    next: u32,
    /// Those before `next` that have not come. Empty unless something goes wrong.
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
