//! Scrapes against the assets.

use std::sync::Arc;

use super::assets::Assets;
use super::{roles, windows};
use crate::asset::Asset;
use crate::authored::Reader;
use crate::authored::scrape::Placed;
use crate::scrape::Scrape;

pub(crate) fn check(reader: &Reader<'_>, authored: Vec<Placed>, assets: &Assets) -> Vec<Arc<Scrape>> {
    let scrapes = authored.into_iter().filter_map(|placed| {
        if let Some(select) = &placed.select {
            windows::refuse_empty(reader, select, assets);
        }
        let selected = |asset: &&Asset| {
            let select = placed.select.as_ref();
            select.is_none_or(|select| select.get_ref().matches(&asset.selectable()))
        };
        let selected: Vec<_> = assets.assets.values().map(AsRef::as_ref).filter(selected).collect();
        if let Some(url) = &placed.url {
            roles::check_text(reader, url, &selected, assets);
        }
        placed.scrape.map(Arc::new)
    });
    scrapes.collect()
}
