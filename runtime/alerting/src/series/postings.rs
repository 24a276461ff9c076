//! Sorted numbers of series.

/// The series that have one label with one value. Most values are of one series alone: that takes no allocation.
#[derive(Debug)]
pub(super) enum Postings {
    One(u32),
    Many(Vec<u32>),
}

impl Postings {
    pub fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(ids) => ids,
        }
    }

    pub fn insert(&mut self, id: u32) {
        match self {
            Self::One(one) if *one == id => {}
            Self::One(one) => *self = Self::Many(vec![id.min(*one), id.max(*one)]),
            Self::Many(ids) if ids.last().is_some_and(|last| *last < id) => ids.push(id),
            Self::Many(ids) => {
                if let Err(place) = ids.binary_search(&id) {
                    ids.insert(place, id);
                }
            }
        }
    }

    /// Whether any is left.
    pub fn remove(&mut self, gone: &Bitmap) -> bool {
        match self {
            Self::One(id) => !gone.has(*id),
            Self::Many(ids) => {
                ids.retain(|id| !gone.has(*id));
                if ids.len() * 2 < ids.capacity() {
                    ids.shrink_to_fit();
                }
                !ids.is_empty()
            }
        }
    }

    pub fn weight(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Many(ids) => ids.capacity() * size_of::<u32>() + super::times::ALLOCATION,
        }
    }
}

/// A bit for each series that there may be.
pub(super) struct Bitmap(Vec<u64>);

impl Bitmap {
    pub fn new(ids: usize) -> Self {
        Self(vec![0; ids.div_ceil(64)])
    }

    pub fn of<'l>(lists: impl IntoIterator<Item = &'l [u32]>, ids: usize) -> Self {
        let mut all = Self::new(ids);
        lists.into_iter().flatten().for_each(|id| all.add(*id));
        all
    }

    pub fn add(&mut self, id: u32) {
        if let Some(word) = self.0.get_mut(id as usize / 64) {
            *word |= 1 << (id % 64);
        }
    }

    pub fn has(&self, id: u32) -> bool {
        self.0
            .get(id as usize / 64)
            .is_some_and(|word| word >> (id % 64) & 1 == 1)
    }

    pub fn to_sorted(&self) -> Vec<u32> {
        let mut ids = Vec::with_capacity(self.0.iter().map(|word| word.count_ones() as usize).sum());
        for (place, word) in self.0.iter().enumerate() {
            let mut left = *word;
            while left != 0 {
                ids.push(place as u32 * 64 + left.trailing_zeros());
                left &= left - 1;
            }
        }
        ids
    }
}

/// Keeps of `ids` those that are in any of the lists, or in none of them.
pub(super) fn retain(ids: &mut Vec<u32>, lists: &[&[u32]], wanted: bool, all: usize) {
    let total: usize = lists.iter().map(|list| list.len()).sum();
    let searches = ids.len().saturating_mul(lists.len()).saturating_mul(8);
    if searches <= total + all / 64 {
        let is_in = |id: &u32| lists.iter().any(|list| list.binary_search(id).is_ok());
        ids.retain(|id| is_in(id) == wanted);
    } else {
        let union = Bitmap::of(lists.iter().copied(), all);
        ids.retain(|id| union.has(*id) == wanted);
    }
}
