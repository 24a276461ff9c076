//! Chance that comes out the same again from the same seed, whatever the library.

/// SplitMix64, by Sebastiano Vigna: <https://prng.di.unimi.it/splitmix64.c>.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to `below`, without it; 0 for 0.
    pub fn below<N: TryInto<u64> + TryFrom<u64>>(&mut self, below: N) -> N {
        let below = below.try_into().unwrap_or(u64::MAX).max(1);
        let chosen = N::try_from(self.next() % below);
        chosen.unwrap_or_else(|_| unreachable!("it is below a number of that type"))
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// Once in `of` times.
    pub fn once_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    pub fn one_of<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len())]
    }

    /// The same of what is as good as its own reference.
    pub fn pick<T: Copy>(&mut self, things: &[T]) -> T {
        *self.one_of(things)
    }
}
