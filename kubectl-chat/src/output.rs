//! Output for programs: the formats of `--output`, and the version of their content.

use clap::ValueEnum;
use serde::Serialize;

use crate::fault::Fault;

/// The version of the `-o json` format. It changes when a field is removed or gets another meaning, not when
/// one is added.
pub(crate) const SHAPE: &str = "plugin.chatcluster.dev/v1";

/// An output format for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Json,
    Yaml,
}

impl Format {
    pub(crate) fn write(self, value: &impl Serialize) -> Result<String, Fault> {
        match self {
            Self::Json => serde_json::to_string_pretty(value)
                .map(|text| text + "\n")
                .map_err(|e| Fault::failed("write JSON", e)),
            Self::Yaml => serde_saphyr::to_string(value).map_err(|e| Fault::failed("write YAML", e)),
        }
    }
}
