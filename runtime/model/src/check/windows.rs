//! Maintenance windows and freezes against the assets.

use super::assets::Assets;
use super::{refuse_duplicates, runbook};
use crate::authored::window::{Placed, Windows as Authored};
use crate::authored::{At, Reader};
use crate::runbook::Selector;
use crate::window::Windows;

/// A window that covers nothing is a slip: whoever wrote it relies on it.
pub(crate) fn check(reader: &Reader<'_>, authored: Authored, assets: &Assets) -> Windows {
    let names = authored.maintenance.iter().filter_map(|placed| placed.name.as_ref());
    refuse_duplicates(reader, "maintenance windows", names);
    let names = authored.freezes.iter().filter_map(|placed| placed.name.as_ref());
    refuse_duplicates(reader, "freezes", names);
    Windows {
        maintenance: covering(reader, authored.maintenance, assets),
        freezes: covering(reader, authored.freezes, assets),
    }
}

fn covering<T>(reader: &Reader<'_>, placed: Vec<Placed<T>>, assets: &Assets) -> Vec<T> {
    let windows = placed.into_iter().filter_map(|placed| {
        if let Some(select) = &placed.select {
            refuse_empty(reader, select, assets);
        }
        placed.window
    });
    windows.collect()
}

pub(super) fn refuse_empty(reader: &Reader<'_>, select: &At<Selector>, assets: &Assets) {
    let all: Vec<_> = assets.assets.values().map(AsRef::as_ref).collect();
    if assets.are_known && !all.iter().any(|asset| select.get_ref().matches(&asset.selectable())) {
        runbook::refuse_empty(reader, select, &all);
    }
}
