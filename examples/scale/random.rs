//! Random numbers that are the same on every machine for one seed, and the two distributions that
//! traffic is made of.

use std::hash::Hasher;

/// Splitmix64: small, quick, and good enough to draw traffic from. Nothing secret comes out of it.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The sequence of this seed.
    #[must_use]
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Evenly between 0 (which may come) and 1 (which never does).
    #[allow(clippy::cast_precision_loss)] // 53 bits fit
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Evenly among `0..count`; zero where `count` is.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let wide = u128::from(self.bits()) * count as u128;
        usize::try_from(wide >> 64).unwrap_or_default()
    }

    /// The time to the next of events that come by themselves, on average `mean` apart.
    pub(crate) fn wait(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

/// 64 bits in which each bit depends on every bit of `bits`.
#[must_use]
pub(crate) const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Hashes ranks, which nobody chose in order to make them collide.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mixed(u64);

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, bits: u64) {
        self.0 = mix(self.0 ^ bits);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Ranks `1..=count`, the rank `k` drawn with a weight of `k^-exponent`. By rejection-inversion
/// (Hörmann and Derflinger, 1996), which needs no table, however many ranks there are.
#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    count: f64,
    exponent: f64,
    from: f64,
    to: f64,
    sure: f64,
}

impl Zipf {
    /// `exponent` 0 is even; 1 is the classic.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    pub(crate) fn new(count: u64, exponent: f64) -> Self {
        let mut zipf = Self { count: count.max(1) as f64, exponent, from: 0.0, to: 0.0, sure: 0.0 };
        zipf.from = zipf.area(1.5) - 1.0;
        zipf.to = zipf.area(zipf.count + 0.5);
        zipf.sure = 2.0 - zipf.inverse(zipf.area(2.5) - zipf.weight(2.0));
        zipf
    }

    /// The next rank.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 1 and count
    pub(crate) fn draw(&self, random: &mut Random) -> u64 {
        loop {
            let area = self.to + random.unit() * (self.from - self.to);
            let at = self.inverse(area);
            let rank = at.round().clamp(1.0, self.count);
            if rank - at <= self.sure || area >= self.area(rank + 0.5) - self.weight(rank) {
                return rank as u64;
            }
        }
    }

    fn weight(&self, rank: f64) -> f64 {
        rank.powf(-self.exponent)
    }

    /// The integral of the weight from 1.
    fn area(&self, to: f64) -> f64 {
        let power = 1.0 - self.exponent;
        if power.abs() < 1e-9 { to.ln() } else { (to.powf(power) - 1.0) / power }
    }

    fn inverse(&self, area: f64) -> f64 {
        let power = 1.0 - self.exponent;
        if power.abs() < 1e-9 { area.exp() } else { (1.0 + area * power).powf(1.0 / power) }
    }
}
