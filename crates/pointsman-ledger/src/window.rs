//! Counting within a second. Held in memory alone: an instance that begins anew has counted nothing.

use pointsman_core::base::time::Timestamp;

/// How often something was done in the second that runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    second: u64,
    count: u32,
}

impl Window {
    /// Whether it may be done once more, at most `most` times a second.
    pub(crate) const fn take(&mut self, now: Timestamp, most: u32) -> bool {
        let second = now.millis() / 1000;
        if second != self.second {
            *self = Self { second, count: 0 };
        }
        if self.count >= most {
            return false;
        }
        self.count += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_often_a_second_and_no_more() {
        let mut window = Window::default();
        let mut take = |millis| window.take(Timestamp::from_millis(millis), 2);
        assert_eq!([take(5000), take(5500), take(5999), take(6000)], [true, true, false, true]);
    }
}
