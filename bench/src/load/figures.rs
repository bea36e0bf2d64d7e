//! Figures of a run, as they are printed.

use super::meter::Used;
use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value};

/// A mode's figures, and the resources that were used while they were taken.
pub(super) type Measured = (Used, Map<String, Value>);

/// The figures as a map, with floats rounded to four decimals.
pub(super) fn figures(value: impl Serialize) -> Result<Map<String, Value>> {
    let mut value = serde_json::to_value(value)?;
    let map = value.as_object_mut().context("figures are a map")?;
    for figure in map.values_mut() {
        if let Some(float) = figure.as_f64().filter(|_| figure.is_f64()) {
            *figure = rounded(float).into();
        }
    }
    Ok(std::mem::take(map))
}

pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
